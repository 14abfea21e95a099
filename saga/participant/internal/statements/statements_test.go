package statements_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ordersaga/ordersaga/saga/participant/internal/statements"
)

// state is an error of a driver.
type state string

func (s state) Error() string    { return "SQLSTATE " + string(s) }
func (s state) SQLState() string { return string(s) }

func TestOnlyATransactionThatOthersAbortedIsRepeated(t *testing.T) {
	t.Parallel()
	const unique, serialization, deadlock state = "23505", "40001", "40P01"
	tests := map[string]struct {
		errs []error // of the attempts; the last one repeats
		want int     // attempts
	}{
		"it commits":              {[]error{nil}, 1},
		"a serialization failure": {[]error{fmt.Errorf("commit: %w", serialization), nil}, 2},
		"deadlocks":               {[]error{deadlock, deadlock, nil}, 3},
		"never without others":    {[]error{serialization}, 10},
		"another state":           {[]error{unique}, 1},
		"no state":                {[]error{errors.New("connection reset")}, 1},
		"refused after an abort":  {[]error{deadlock, errors.New("sold out")}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := 0
			err := statements.Repeat(func() error {
				e := tt.errs[min(got, len(tt.errs)-1)]
				got++
				return e
			})
			if got != tt.want || !errors.Is(err, tt.errs[len(tt.errs)-1]) {
				t.Errorf("%d attempts, error %v", got, err)
			}
		})
	}
}
