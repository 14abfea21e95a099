package problem_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func TestProblemIsWrittenWithItsExtensionsLast(t *testing.T) {
	t.Parallel()
	p := problem.Invalid.New("2 of %d are wrong", 3).With("orderId", "o-1").With("available", map[string]int{"q": 1, "p": 0})
	p.Errors = []problem.Field{{Detail: "a < \xff", Pointer: "#/a"}}
	p.Instance = "r-1"
	w := httptest.NewRecorder()
	p.Write(w)
	want := `{"type":"/problems/invalid-request","title":"Invalid request","status":422,"detail":"2 of 3 are wrong",` +
		`"instance":"r-1","errors":[{"detail":"a < �","pointer":"#/a"}],"available":{"p":0,"q":1},"orderId":"o-1"}`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestProblemIsFoundInAWrappedError(t *testing.T) {
	t.Parallel()
	var p *problem.Problem
	err := fmt.Errorf("price the order: %w", problem.Unavailable.New("the catalog is down").RetryAfter(1500*time.Millisecond))
	if !errors.As(err, &p) || p.Type != problem.Unavailable.URI() || p.Header.Get("Retry-After") != "2" {
		t.Errorf("got %+v; want unavailable with Retry-After 2", p)
	}
}

func TestEveryCommonTypeHasItsOwnStatusAndAdvice(t *testing.T) {
	t.Parallel()
	for _, c := range problem.Common() {
		if problem.ForStatus(c.Status) != c || c.Title == "" || c.Advice == "" {
			t.Errorf("%+v: incomplete, or shares its status with another", c)
		}
	}
	if problem.ForStatus(418) != problem.Internal {
		t.Error("an unknown status is not internal-error")
	}
}
