package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

// Prices are per unit, so today's lines divide without a rest. A discount on a line will not.
func TestThePartsOfALineAddUpToIt(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	rapid.Check(t, func(rt *rapid.T) {
		worth := rapid.Int64Range(0, 1<<rapid.IntRange(0, 62).Draw(rt, "magnitude")).Draw(rt, "worth")
		bought := rapid.Int64Range(1, 20).Draw(rt, "bought")
		type part struct{ units, value int64 }
		var parts []part // that are back
		var back, value int64
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			if len(parts) > 0 && rapid.Bool().Draw(rt, "refused") {
				i := rapid.IntRange(0, len(parts)-1).Draw(rt, "which")
				back, value = back-parts[i].units, value-parts[i].value
				parts = append(parts[:i], parts[i+1:]...)
				continue
			}
			if back == bought {
				break
			}
			q := rapid.Int64Range(1, bought-back).Draw(rt, "units")
			var share int64
			err := pool.QueryRow(t.Context(), "SELECT share_of_line($1, $2, $3, $4, $5)", worth, bought, back, value, q).Scan(&share)
			if err != nil {
				rt.Fatal(err)
			}
			if fake := ordertest.ShareOfLine(worth, bought, back, value, q); fake != share {
				rt.Fatalf("the fake makes it %d, the database %d", fake, share)
			}
			parts = append(parts, part{q, share})
			back, value = back+q, value+share
			if share < 0 || value > worth || back == bought && value != worth {
				rt.Fatalf("%v of %d units that are worth %d", parts, bought, worth)
			}
		}
	})
}

// Whatever is booked, refused, settled, shipped and found at the gateway, in whatever sequence: the adapter and the fake
// answer alike, and the books add up.
func TestAnyHistoryAddsUp(t *testing.T) {
	t.Parallel()
	real := realBooks(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{T: rt, t: t, real: real, fake: fakeBooks()}
		o := ordertest.NewOrder(42)
		o.Items, o.Total = h.lines()
		for _, b := range []books{h.real, h.fake} {
			must(b.Create(t.Context(), o))(t)
			h.order = must(b.Confirm(t.Context(), o.ID, "pi_"+string(o.ID), nil))(t)
		}
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			h.step()
		}
		h.check()
	})
}

// history plays the same steps on the adapter and on the fake.
type history struct {
	*rapid.T
	t          *testing.T
	real, fake books
	order      order.Order
	refunds    []order.RefundID
	parcels    []order.ShipmentID
	disputes   int
}

func (h *history) lines() ([]order.Line, money.Money) {
	currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD", "MGA"}).Draw(h.T, "currency")
	lines := make([]order.Line, rapid.IntRange(1, 3).Draw(h.T, "lines"))
	for i := range lines {
		lines[i] = order.Line{
			ProductID: fmt.Sprint("p", i), Name: fmt.Sprint("P", i), Quantity: rapid.IntRange(1, 4).Draw(h.T, "quantity"),
			Price: money.Money{Amount: rapid.Int64Range(max(0, 1-int64(i)), 300).Draw(h.T, "price"), Currency: currency},
		}
	}
	return lines, must(order.Total(lines))(h.t)
}

// both plays a step on both stores, and fails unless they answer alike.
func both[T any](h *history, what string, play func(b books) (T, error)) T {
	got, err := play(h.real)
	want, wantErr := play(h.fake)
	if (err == nil) != (wantErr == nil) {
		h.Fatalf("%s: %v, but the fake says %v", what, err, wantErr)
	}
	if diff := cmp.Diff(want, got, ignoreStored, cmpopts.EquateEmpty()); diff != "" {
		h.Fatalf("%s (-fake +real):\n%s", what, diff)
	}
	return got
}

func (h *history) step() {
	ctx := h.t.Context()
	var refund order.RefundID
	if len(h.refunds) > 0 {
		refund = rapid.SampledFrom(h.refunds).Draw(h.T, "refund")
	}
	switch kind := rapid.IntRange(0, 9).Draw(h.T, "step"); {
	case kind <= 2 || refund == "":
		h.ask()
	case kind <= 4:
		outcome := order.RefundOutcome{Status: h.status(), GatewayID: "re_" + string(refund)}
		both(h, "settle", func(b books) (order.Refund, error) { return b.refunds.Settle(ctx, refund, outcome) })
	case kind == 5:
		units := rapid.SampledFrom([]order.UnitsStatus{order.UnitsDone, order.UnitsSkipped}).Draw(h.T, "units")
		r := both(h, "return units", func(b books) (order.Refund, error) { return b.refunds.ReturnedUnits(ctx, refund, units) })
		version := r.Version - rapid.Int64Range(0, 1).Draw(h.T, "stale")
		both(h, "finish", func(b books) (order.Refund, error) { return b.refunds.Finish(ctx, refund, version) })
	case kind == 6:
		found := order.GatewayRefund{
			ID: "re_" + uuid.NewString(), PaymentID: h.order.PaymentID, Status: h.status(),
			Amount: money.Money{Amount: rapid.Int64Range(1, h.order.Total.Amount).Draw(h.T, "outside"), Currency: h.order.Total.Currency},
		}
		r := both(h, "outside", func(b books) (order.Refund, error) { return b.refunds.BookOutside(ctx, h.order.ID, found) })
		h.refunds = append(h.refunds, r.ID)
	case kind == 7:
		h.dispute()
	default:
		h.ship()
	}
}

func (h *history) status() order.RefundStatus {
	return rapid.SampledFrom([]order.RefundStatus{
		order.RefundRefused, order.RefundPending, order.RefundSucceeded, order.RefundFailed,
	}).Draw(h.T, "status")
}

func (h *history) ask() {
	kinds := []order.RefundKind{order.Return, order.Cancellation, order.Goodwill}
	req := request(h.order, rapid.SampledFrom(kinds).Draw(h.T, "kind"))
	req.By = rapid.SampledFrom([]order.Requester{order.ByOperator, order.ByUser}).Draw(h.T, "by")
	req.Money = rapid.SampledFrom([]order.RefundMoney{order.ThroughGateway, order.ByOtherMeans, order.NoMoney}).Draw(h.T, "money")
	if req.Kind == order.Return || req.Kind == order.Cancellation && rapid.Bool().Draw(h.T, "part") {
		for _, line := range rapid.SliceOfNDistinct(rapid.IntRange(1, len(h.order.Items)+1), 1, 2, rapid.ID[int]).Draw(h.T, "lines") {
			q := rapid.IntRange(1, 3).Draw(h.T, "quantity")
			req.Items = append(req.Items, order.RefundItem{Line: line, Quantity: q, Restock: rapid.IntRange(0, q).Draw(h.T, "restock")})
		}
	}
	if req.Kind == order.Goodwill || rapid.IntRange(0, 3).Draw(h.T, "with amount") == 0 {
		req.Amount = money.Money{
			Amount: rapid.Int64Range(1, h.order.Total.Amount+1).Draw(h.T, "amount"), Currency: h.order.Total.Currency,
		}
		if req.Money == order.NoMoney {
			req.Money = order.ByOtherMeans
		}
	}
	if len(h.refunds) > 0 && rapid.IntRange(0, 3).Draw(h.T, "replace") == 0 {
		req.Replaces = rapid.SampledFrom(h.refunds).Draw(h.T, "replaces")
	}
	h.refunds = append(h.refunds, req.ID)
	if rapid.IntRange(0, 7).Draw(h.T, "fence") == 0 {
		both(h, "fence", func(b books) (order.Refund, error) { return b.refunds.Fence(h.t.Context(), req, withdrawn) })
		return
	}
	r := both(h, "book", func(b books) (order.Refund, error) { return b.refunds.Book(h.t.Context(), req) })
	if r.Status != order.RefundBooked || r.Amount.Amount == 0 {
		return
	}
	sum := int64(0)
	for _, r := range must(h.real.refunds.OfOrder(h.t.Context(), h.order.ID))(h.t) {
		if r.Status == order.RefundBooked || r.Status == order.RefundPending || r.Status == order.RefundSucceeded {
			sum += r.Amount.Amount
		}
	}
	if sum > h.order.Total.Amount {
		h.Fatalf("booked %d of %s", sum, h.order.Total)
	}
}

func (h *history) dispute() {
	d := disputeOf(h.order, fmt.Sprint("dp_", h.order.ID, h.disputes))
	d.Closed = rapid.Bool().Draw(h.T, "closed")
	d.Lost = d.Closed && rapid.IntRange(0, 3).Draw(h.T, "lost") == 0
	if d.Closed {
		h.disputes++ // the next one is another
	}
	both(h, "dispute", func(b books) (struct{}, error) { return struct{}{}, b.refunds.NoteDispute(h.t.Context(), d) })
}

func (h *history) ship() {
	ctx := h.t.Context()
	if len(h.parcels) > 0 && rapid.Bool().Draw(h.T, "arrives") {
		parcel := rapid.SampledFrom(h.parcels).Draw(h.T, "parcel")
		end := rapid.SampledFrom([]order.ShipmentStatus{order.Delivered, order.LostInTransit}).Draw(h.T, "end")
		s := both(h, "arrive", func(b books) (order.Shipment, error) { return b.shipments.Arrive(ctx, parcel, end) })
		both(h, "finish", func(b books) (order.Shipment, error) { return b.shipments.FinishShipment(ctx, parcel, s.Version) })
		return
	}
	req := shipment(h.order, rapid.IntRange(1, len(h.order.Items)+1).Draw(h.T, "line"), rapid.IntRange(1, 3).Draw(h.T, "quantity"))
	h.parcels = append(h.parcels, req.ID)
	both(h, "ship", func(b books) (order.Shipment, error) { return b.shipments.Ship(ctx, req) })
}

// check compares all that can be read, and adds up the lines.
func (h *history) check() {
	ctx, id := h.t.Context(), h.order.ID
	refunds := both(h, "refunds", func(b books) ([]order.Refund, error) { return sorted(b.refunds.OfOrder(ctx, id)) })
	parcels := both(h, "shipments", func(b books) ([]order.Shipment, error) {
		parcels, err := b.shipments.OfOrder(ctx, id)
		slices.SortFunc(parcels, func(a, b order.Shipment) int { return strings.Compare(string(a.ID), string(b.ID)) })
		return parcels, err
	})
	both(h, "balances", func(b books) ([]order.Balance, error) {
		balances, err := b.refunds.Balances(ctx, []order.ID{id})
		for i := range balances {
			balances[i].Unsettled = h.order.CreatedAt
			slices.Sort(balances[i].Skipped)
		}
		return balances, err
	})
	both(h, "disputes", func(b books) ([]order.Dispute, error) {
		disputes, err := b.refunds.Disputes(ctx, id)
		for i := range disputes {
			disputes[i].ClosedAt = h.order.CreatedAt
		}
		return disputes, err
	})
	both(h, "the order", func(b books) (order.Order, error) {
		o, err := b.Order(ctx, id)
		o.CreatedAt, o.UpdatedAt = h.order.CreatedAt, h.order.UpdatedAt
		return o, err
	})
	both(h, "the timeline", func(b books) ([]string, error) {
		entries, err := b.Timeline(ctx, id)
		lines := make([]string, len(entries))
		for i, e := range entries {
			lines[i] = fmt.Sprintln(e.Type, e.Detail)
		}
		return lines, err
	})
	for i, l := range h.order.Items {
		var back, cancelled, shipped int
		var value int64
		for _, r := range refunds {
			for _, part := range r.Lines {
				if part.Line != i+1 || r.Status == order.RefundRefused || r.Late {
					continue
				}
				back, value = back+part.Quantity, value+part.Value.Amount
				if r.Kind == order.Cancellation {
					cancelled += part.Quantity
				}
			}
		}
		for _, s := range parcels {
			for _, part := range s.Lines {
				if part.Line == i+1 && s.Status != order.ShipmentRefused {
					shipped += part.Quantity
				}
			}
		}
		worth := l.Price.Amount * int64(l.Quantity)
		if back > l.Quantity || cancelled+shipped > l.Quantity || value > worth || back == l.Quantity && value != worth {
			h.Fatalf("line %d of %d units at %s: %d back with %d, %d cancelled, %d shipped", i+1, l.Quantity, l.Price, back, value,
				cancelled, shipped)
		}
	}
}

// sorted sorts refunds by ID: two may be of one moment.
func sorted(refunds []order.Refund, err error) ([]order.Refund, error) {
	slices.SortFunc(refunds, func(a, b order.Refund) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return refunds, err
}
