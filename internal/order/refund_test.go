package order

import "testing"

func TestRefundStatusesOnlyClimb(t *testing.T) {
	t.Parallel()
	climbing := []RefundStatus{"", RefundBooked, RefundRefused, RefundPending, RefundSucceeded, RefundFailed}
	for rank, status := range climbing {
		if status.Rank() != rank {
			t.Errorf("the rank of %q is %d, want %d", status, status.Rank(), rank)
		}
		if want := rank >= 3; status.Accepted() != want {
			t.Errorf("%q accepted: %t, want %t", status, status.Accepted(), want)
		}
	}
}

func TestWhatTheBooksRefuseIsNotAnnounced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		refund Refund
		want   EventType
	}{
		{Refund{Status: RefundBooked}, ""},
		{Refund{Status: RefundRefused, Cause: &RefundCause{By: RefusedByBooks}}, ""},
		{Refund{Status: RefundRefused, Cause: &RefundCause{By: RefusedByGateway}}, EventRefundRefused},
		{Refund{Status: RefundRefused, Cause: &RefundCause{By: RefusedByOperator}}, EventRefundRefused},
		{Refund{Status: RefundPending}, EventRefunded},
		{Refund{Status: RefundSucceeded}, EventRefunded},
		{Refund{Status: RefundFailed, Cause: &RefundCause{By: RefusedByGateway}}, EventRefundFailed},
	} {
		e, announced := NewRefundEvent(tt.refund)
		if announced != (tt.want != "") || announced && e.Type != tt.want {
			t.Errorf("%s by %v: %q, %t; want %q", tt.refund.Status, tt.refund.Cause, e.Type, announced, tt.want)
		}
	}
}

func TestUnitsOfOneProductReturnTogether(t *testing.T) {
	t.Parallel()
	r := Refund{Lines: []RefundLine{
		{ProductID: "tea", Quantity: 3, Restock: 2}, {ProductID: "cup", Quantity: 1, Restock: 1}, {ProductID: "tea", Quantity: 1},
	}}
	got := r.Returns()
	want := []ReturnLine{{ProductID: "tea", Quantity: 4, WriteOff: 2}, {ProductID: "cup", Quantity: 1}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("returns %v, want %v", got, want)
	}
}

func TestAFailureAtTheGatewayHasACause(t *testing.T) {
	t.Parallel()
	for _, status := range []RefundStatus{RefundPending, RefundSucceeded, RefundFailed} {
		got := GatewayRefund{ID: "re_1", Status: status, Failure: "expired_or_canceled_card"}.Outcome()
		if got.Status != status || got.GatewayID != "re_1" || (got.Cause != nil) != (status == RefundFailed) {
			t.Errorf("%s: %+v", status, got)
		}
		if got.Cause != nil && (got.Cause.Reason != GatewayFailed || got.Cause.By != RefusedByGateway || got.Cause.Message == "") {
			t.Errorf("%s: %+v", status, got.Cause)
		}
	}
}
