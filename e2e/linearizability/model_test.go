package linearizability

import (
	"maps"

	"github.com/anishathalye/porcupine"
)

// request is the input of one step. Reserve, Return and Release are two steps each, which may be apart: a reserve takes, and
// responds; a return is admitted, and brings its units back; a release closes the order, and gives its units back. In
// between, other clients see units held for an order that will not get them, or sold that are on their way back. That is
// what package stock promises: units are back before a return or release returns, not at the moment of its decision.
type request struct {
	kind           string
	product, order int
	quantity       int64 // of the order
	back           int   // number of a return, of one unit each
}

// lossy is the number of the return whose unit is written off.
const lossy = 2

// orderState is what has become of an order.
type orderState struct {
	// is the response to a commit: "" (unknown), held, done (sold), short, released; or releasing, which is released with
	// the units still out.
	is      string
	back    [returnIDs]bool // which returns were admitted
	pending int             // the number of the return whose unit is on its way back, from 1; or 0
}

// left is how many of an order's units were not returned.
func (o orderState) left(quantity int64) int64 {
	for _, back := range o.back {
		if back {
			quantity--
		}
	}
	return quantity
}

// state is one product and its orders.
type state struct {
	available int64
	orders    map[int]orderState
}

// model is how the stock of one product behaves, one step at a time.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, 2)
		for _, op := range history {
			p := op.Input.(request).product
			parts[p] = append(parts[p], op)
		}
		return parts
	},
	Init: func() any { return state{available: contestedUnits} },
	Step: func(s, input, output any) (bool, any) {
		return s.(state).step(input.(request), output.(string))
	},
	Equal: func(a, b any) bool {
		x, y := a.(state), b.(state)
		return x.available == y.available && maps.Equal(x.orders, y.orders)
	},
}

// step reports whether the step may have this response, and returns the state after it.
func (s state) step(in request, response string) (bool, state) {
	o := s.orders[in.order]
	gone := o.is == "releasing" || o.is == "released"
	switch in.kind {
	case "take":
		switch {
		case o.is != "":
			return true, s
		case s.available >= in.quantity:
			o.is = "held"
			return true, s.with(in, o, -in.quantity)
		}
		o.is = "short"
		return true, s.with(in, o, 0)
	case "respond":
		held := o.is == "held" || o.is == "done"
		return held && response == "done" || o.is == "short" && response == "short" || gone && response == "released", s
	case "commit":
		if o.is == "held" {
			o.is = "done"
			return response == "done", s.with(in, o, 0)
		}
		return o.is == "" && response == "unknown" || gone && response == "released" || o.is == response, s
	case "admit":
		return s.admit(in, o, response)
	case "bring back":
		return s.bringBack(in, o, response)
	case "close":
		return s.close(in, o, response)
	default: // give back
		if o.is == "releasing" {
			o.is = "released"
			return response == "done", s.with(in, o, o.left(in.quantity))
		}
		return (o.is == "released" || o.is == "short") && response == "done", s
	}
}

// admit decides about a return. Another one is not admitted before the unit of the first is back.
func (s state) admit(in request, o orderState, response string) (bool, state) {
	switch {
	case o.back[in.back]:
		return response == "done", s
	case o.is == "": // or its reserve has begun, and has taken nothing yet
		return response == "unknown" || response == "not sold", s
	case o.is != "done":
		return response == "not sold", s
	case o.pending > 0:
		return false, s
	case o.left(in.quantity) == 0:
		return response == "too large", s
	}
	o.back[in.back], o.pending = true, in.back+1
	return response == "done", s.with(in, o, 0)
}

func (s state) bringBack(in request, o orderState, response string) (bool, state) {
	if response != "done" || o.pending != in.back+1 {
		return true, s // there is nothing to bring back, or another client has brought it
	}
	o.pending = 0
	if in.back == lossy {
		return true, s.with(in, o, 0)
	}
	return true, s.with(in, o, +1)
}

func (s state) close(in request, o orderState, response string) (bool, state) {
	switch {
	case o.is == "":
		o.is = "released"
	case o.pending > 0:
		return false, s
	case o.is == "held" || o.is == "done":
		o.is = "releasing"
	}
	return response == "done", s.with(in, o, 0)
}

// with returns the state with another state of the order and that many more units available.
func (s state) with(in request, o orderState, available int64) state {
	orders := maps.Clone(s.orders)
	if orders == nil {
		orders = map[int]orderState{}
	}
	orders[in.order] = o
	return state{s.available + available, orders}
}
