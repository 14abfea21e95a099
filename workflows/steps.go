package workflows

import (
	"slices"

	"github.com/ordersaga/ordersaga/saga"
)

// Steps returns the names under which operators see the parts of the sagas: steps, undos and the fence.
func Steps() []string {
	names := []string{saga.FenceName}
	for _, p := range []saga.Plan{new(orderSaga).plan(), new(refundSaga).plan(), new(shipSaga).plan()} {
		for _, s := range slices.Concat(p.Steps, []saga.Step{p.Pivot, p.Finish}, p.Retriable) {
			names = append(names, s.Name)
			if s.Undo != nil {
				names = append(names, s.Undo.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}
