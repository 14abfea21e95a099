package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// ShipOrderWorkflow is the name under which clients start ShipOrder.
const ShipOrderWorkflow = "ShipOrder"

// ShipOrder records that units of a confirmed order were handed to a carrier, and announces what became of the shipment. It
// runs again when the shipment has arrived or was lost.
//
// A shipment is a fact, not a wish: cancelling the workflow does not bring the parcel back. So its fence records the shipment
// as the pivot does.
func ShipOrder(ctx workflow.Context, req order.ShipmentRequest) (order.ShipmentStatus, error) {
	if err := checkWorkflowID(ctx, req.ID.WorkflowID()); err != nil {
		return "", err
	}
	s := &shipSaga{req: req}
	_, err := s.plan().Run(ctx, booksOptions(s.alertOperators))
	return s.row.Status, failure(err)
}

// shipSaga is one run of the saga: the request, and the shipment's row as last seen.
type shipSaga struct {
	req order.ShipmentRequest
	row order.Shipment
}

func (s *shipSaga) plan() saga.Plan {
	return saga.Plan{
		Name:  "shipment",
		Pivot: saga.Step{Name: "ShipLines", Do: s.shipLines},
		Fence: s.fence,
		Retriable: []saga.Step{
			{Name: "PublishShipment", Do: s.publishShipment, LocalTimeout: publishLocalTimeout, Timeout: publishTimeout},
			{Name: "FinishShipment", Do: s.finishShipment, LocalTimeout: publishLocalTimeout, Timeout: publishTimeout},
			{Name: "AppendTimeline", Do: s.appendTimeline},
		},
	}
}

// shipping names the activities by their methods; nothing is called on it.
var shipping *activities.Shipping

func (s *shipSaga) shipLines(ctx workflow.Context) (err error) {
	s.row, err = saga.Execute(ctx, shipping.ShipLines, s.req)
	if err == nil && s.row.Status == order.ShipmentRefused {
		return saga.ErrStop
	}
	return err
}

func (s *shipSaga) fence(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
	err := s.shipLines(ctx)
	if errors.Is(err, saga.ErrStop) {
		return saga.Ended, nil
	}
	return saga.Forward, err
}

func (s *shipSaga) publishShipment(ctx workflow.Context) error {
	for _, e := range order.NewShipmentEvents(s.row) {
		if err := saga.Do(ctx, shipping.PublishShipment, e); err != nil {
			return err
		}
	}
	return nil
}

// finishShipment brings the row to rest. A shipment that has arrived since it was announced is announced again.
func (s *shipSaga) finishShipment(ctx workflow.Context) error {
	for {
		row, err := saga.Execute(ctx, shipping.FinishShipment,
			activities.FinishShipmentInput{ShipmentID: s.row.ID, Version: s.row.Version})
		if err != nil {
			return err
		}
		if s.row = row; row.Settled {
			return nil
		}
		if err := s.publishShipment(ctx); err != nil {
			return err
		}
	}
}

func (s *shipSaga) appendTimeline(ctx workflow.Context) error {
	return appendTimeline(ctx, s.req.OrderID, 0)
}

func (s *shipSaga) alertOperators(ctx workflow.Context, a saga.Attention) {
	alertOperators(ctx, s.req.OrderID, s.row.UserID, a)
}
