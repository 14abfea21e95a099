package workflows_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/order"
)

func TestOperatorsAreAlertedToAnOrderThatStaysBroken(t *testing.T) {
	t.Parallel()
	w := newWorld()
	lost := breaks("SendAlert", 1, errBroken) // another comes an hour later
	run(t, w, request(broke), lost, breaks("FinishOrder", 110, errBroken))
	if len(w.alerts) == 0 {
		t.Fatal("no alert")
	}
	want := order.Alert{Version: 1, Type: "ORDER_NEEDS_ATTENTION", OrderID: orderID, UserID: 42, Step: "FinishOrder"}
	if diff := cmp.Diff(want, w.alerts[0], cmpopts.IgnoreFields(order.Alert{}, "Since", "Error", "Advice")); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	for _, a := range w.alerts {
		if a.MessageID() != w.alerts[0].MessageID() {
			t.Errorf("alerts %s and %s: want the same ID", a.MessageID(), w.alerts[0].MessageID())
		}
		if a.Since.IsZero() || !strings.Contains(a.Error, "connection reset") || a.Advice == "" {
			t.Errorf("the alert says too little: %+v", a)
		}
	}
}

func TestOrderGoesOnWhenItsAlertsAreLost(t *testing.T) {
	t.Parallel()
	row := run(t, newWorld(), request(visa), breaks("SendAlert", 1000, errBroken), breaks("PublishEvent", 40, errBroken))
	wantEnd(t, row, order.Confirmed, "")
}
