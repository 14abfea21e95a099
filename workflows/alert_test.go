package workflows_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/order"
)

func TestOperatorsAreToldOfAnOrderThatStaysInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("SendAlert", 1, fault{before: errBroken}) // the first alarm is lost; another comes an hour later
	w.breakNext("FinishOrder", 110, fault{before: errBroken})
	run(t, w, request(broke))
	if len(w.alarms) == 0 {
		t.Fatal("no alarm")
	}
	want := order.Alert{Version: 1, Type: "ORDER_NEEDS_ATTENTION", OrderID: orderID, UserID: 42, Step: "FinishOrder"}
	if diff := cmp.Diff(want, w.alarms[0], cmpopts.IgnoreFields(order.Alert{}, "Since", "Error", "Advice")); diff != "" {
		t.Errorf("alarm (-want +got):\n%s", diff)
	}
	for _, a := range w.alarms {
		if a.MessageID() != w.alarms[0].MessageID() {
			t.Errorf("alarms %s and %s: want one ID for one trouble", a.MessageID(), w.alarms[0].MessageID())
		}
		if a.Since.IsZero() || !strings.Contains(a.Error, "connection reset") || a.Advice == "" {
			t.Errorf("the alarm says too little: %+v", a)
		}
	}
}

func TestOrderGoesOnWhenNobodyHearsItsAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("SendAlert", 1000, fault{before: errBroken})
	w.breakNext("PublishEvent", 40, fault{before: errBroken})
	wantEnd(t, run(t, w, request(visa)), order.Confirmed, "")
}
