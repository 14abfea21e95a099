package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func TestProblemSurvivesTheWire(t *testing.T) {
	t.Parallel()
	sent := problem.Invalid.New("2 of %d are wrong", 3).With("orderId", "o-1").With("available", map[string]int{"p": 0})
	sent.Errors = []problem.Field{{Detail: "a < b", Pointer: "#/a"}}
	sent.Instance = "r-1"
	wire, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got problem.Problem
	if err := json.Unmarshal(wire, &got); err != nil {
		t.Fatal(err)
	}
	want := *problem.Invalid.New("2 of 3 are wrong").
		With("orderId", json.RawMessage(`"o-1"`)).With("available", json.RawMessage(`{"p":0}`))
	want.Errors, want.Instance = sent.Errors, sent.Instance
	if diff := cmp.Diff(want.Extensions, got.Extensions); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
	want.Extensions, got.Extensions = nil, nil
	if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestExtensionIsReadIntoItsType(t *testing.T) {
	t.Parallel()
	var p problem.Problem
	if err := json.Unmarshal([]byte(`{"type":"/problems/x","title":"X","status":400,"n":7}`), &p); err != nil {
		t.Fatal(err)
	}
	var n int
	var s string
	if !p.Extension("n", &n) || n != 7 || p.Extension("n", &s) || p.Extension("missing", &n) {
		t.Errorf("got n=%d; want 7, and nothing for another type or name", n)
	}
}

func TestProblemIsFoundInAWrappedError(t *testing.T) {
	t.Parallel()
	var p *problem.Problem
	err := fmt.Errorf("price the order: %w", problem.Unavailable.New("the catalog is down").RetryAfter(1500*time.Millisecond))
	if !errors.As(err, &p) || !p.IsType(problem.Unavailable) || p.Header.Get("Retry-After") != "2" {
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
