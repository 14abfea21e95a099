package api

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// What a cancellation may do to the order: fence it, undo it completely, come too late, or get lost.
func fences(s *memory, id order.ID) error {
	o, err := s.Order(context.Background(), id)
	if err == nil {
		_, err = s.Close(context.Background(), o.Request(), order.Cause{Reason: order.CancelledByUser, Message: "cancelled by the customer"}, nil)
	}
	return err
}

func undoes(s *memory, id order.ID) error {
	err := fences(s, id)
	if err == nil {
		_, err = s.Finish(context.Background(), id, nil)
	}
	return err
}

func comesTooLate(s *memory, id order.ID) error {
	_, err := s.Confirm(context.Background(), id, "pi_1", nil)
	return err
}

func TestCancellationReportsWhatBecameOfTheOrder(t *testing.T) {
	t.Parallel()
	after := func(first func(*memory, order.ID) error, err error) func(*memory, order.ID) error {
		return func(s *memory, id order.ID) error {
			if e := first(s, id); e != nil {
				return e
			}
			return err
		}
	}
	nothing := func(*memory, order.ID) error { return nil }
	for name, test := range map[string]struct {
		cancel func(*memory, order.ID) error
		status int
		want   string // the order's status and reason, or the problem's type
	}{
		"in time, being undone":                    {fences, 202, "PENDING CANCELLED_BY_USER"},
		"in time, undone":                          {undoes, 200, "CANCELLED CANCELLED_BY_USER"},
		"too late: it is given back":               {comesTooLate, 200, "CONFIRMED "},
		"accepted, not decided yet":                {nothing, 202, "PENDING "},
		"the saga ended meanwhile: confirmed":      {after(comesTooLate, temporalclient.ErrClosed), 200, "CONFIRMED "},
		"the saga ended meanwhile: undone":         {after(undoes, temporalclient.ErrClosed), 200, "CANCELLED CANCELLED_BY_USER"},
		"the saga was terminated: it is recovered": {after(nothing, temporalclient.ErrClosed), 202, "PENDING "},
		"temporal is down":                         {after(nothing, temporalclient.ErrUnavailable), 503, "/problems/unavailable"},
		"perhaps accepted":                         {after(nothing, temporalclient.ErrUnknown), 503, "/problems/outcome-unknown"},
		"perhaps accepted, but the row tells":      {after(fences, temporalclient.ErrUnknown), 202, "PENDING CANCELLED_BY_USER"},
		"perhaps accepted, and too late":           {after(comesTooLate, temporalclient.ErrUnknown), 200, "CONFIRMED "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTestAPI(t, hesitates)
			api.engine.cancel = test.cancel
			place(t, api)
			got := api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", `{"reason":"ordered twice"}`)
			if summary := summarize(got); got.status != test.status || summary != test.want {
				t.Errorf("got %d %q, want %d %q", got.status, summary, test.status, test.want)
			}
			if got.status == 202 {
				got.wantHeader(t, "Location", "/orders/"+string(keyed))
				got.wantHeader(t, "Retry-After", "1")
			}
			if diff := cmp.Diff([]workflows.CancelRequest{{By: workflows.ByUser, Reason: "ordered twice"}}, api.engine.cancels); diff != "" {
				t.Errorf("what was asked of the saga (-want +got):\n%s", diff)
			}
		})
	}
}

func summarize(a response) string {
	if problem, ok := a.body["type"].(string); ok {
		return problem
	}
	reason, _ := a.body["reason"].(string)
	return a.body["status"].(string) + " " + reason
}

func TestEndedOrderIsNotCancelledAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script script
		status int
		want   string
	}{
		"declined":  {ended(order.Cause{Reason: order.PaymentDeclined}), 200, "FAILED PAYMENT_DECLINED"},
		"cancelled": {ended(order.Cause{Reason: order.CancelledByUser}), 200, "CANCELLED CANCELLED_BY_USER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTestAPI(t, test.script)
			api.engine.cancel = func(*memory, order.ID) error { return errors.New("the saga was asked") }
			place(t, api)
			for range 2 {
				got := api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", "")
				if summary := summarize(got); got.status != test.status || summary != test.want {
					t.Errorf("got %d %q, want %d %q", got.status, summary, test.status, test.want)
				}
			}
		})
	}
}

func ended(cause order.Cause) script {
	return func(s *memory, req order.Request) error {
		if err := refuses(cause)(s, req); err != nil {
			return err
		}
		_, err := s.Finish(context.Background(), req.ID, nil)
		return err
	}
}

func TestOrderWithoutARowIsCancelledBeforeItIsPriced(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, sleeps)
	api.engine.cancel = func(*memory, order.ID) error { return nil }
	place(t, api)
	got := api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", "")
	if got.status != 202 || !strings.Contains(got.raw, `"status":"PENDING"`) {
		t.Errorf("got %d %s, want 202 and the order", got.status, got.raw)
	}
}
