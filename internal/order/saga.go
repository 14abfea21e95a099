package order

import "errors"

// SagaState is the state of an order's CreateOrder workflow, as Temporal knows it.
type SagaState string

// The states of an order's CreateOrder workflow.
const (
	SagaRunning     SagaState = "running"
	SagaCompleted   SagaState = "completed"
	SagaInterrupted SagaState = "interrupted" // terminated, failed, cancelled or timed out
	SagaUnknown     SagaState = "unknown"     // never started, or forgotten by the engine
)

// ErrNoRequest is returned for an order when no workflow holds its request.
var ErrNoRequest = errors.New("no workflow holds the order's request")

// Validate reports what is wrong with a request: an operator may have started a workflow by hand with a bad one.
func (r Request) Validate() error {
	if _, err := ParseID(string(r.ID)); err != nil {
		return err
	}
	if len(r.Items) == 0 || len(r.Items) > MaxItems {
		return errors.New("items: want 1 to 100")
	}
	for _, it := range r.Items {
		if it.ProductID == "" || it.Quantity < 1 || it.Quantity > MaxQuantity {
			return errors.New("items: each needs a productId and a quantity of 1 to 10000")
		}
	}
	return nil
}
