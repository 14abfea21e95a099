package linearizability

import (
	"maps"

	"github.com/anishathalye/porcupine"
)

// request is the input of one step. Reserve and Release are two steps each, which may be apart: a reserve takes, and
// responds; a release closes the order, and gives its units back. In between, other clients see units held for an order
// that will not get them. That is what package stock promises: units are back before a release returns, not at the
// moment of its decision.
type request struct {
	kind           string
	product, order int
	quantity       int64
}

// state is one product and its orders, each by the response to a commit of it: "" (unknown), held, done (sold), short,
// released; or returning, which is released with the units still out.
type state struct {
	available int64
	orders    map[int]string
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
	is := s.orders[in.order]
	gone := is == "returning" || is == "released"
	switch in.kind {
	case "take":
		switch {
		case is != "":
		case s.available >= in.quantity:
			return true, s.with(in, "held", -in.quantity)
		default:
			return true, s.with(in, "short", 0)
		}
		return true, s
	case "respond":
		held := is == "held" || is == "done"
		return held && response == "done" || is == "short" && response == "short" || gone && response == "released", s
	case "commit":
		if is == "held" {
			return response == "done", s.with(in, "done", 0)
		}
		return is == "" && response == "unknown" || gone && response == "released" || is == response, s
	case "close":
		switch is {
		case "":
			s = s.with(in, "released", 0)
		case "held", "done":
			s = s.with(in, "returning", 0)
		}
		return response == "done", s
	default: // give back
		if is == "returning" {
			return response == "done", s.with(in, "released", in.quantity)
		}
		return (is == "released" || is == "short") && response == "done", s
	}
}

// with returns the state with another state of the order and that many more units available.
func (s state) with(in request, is string, available int64) state {
	orders := maps.Clone(s.orders)
	if orders == nil {
		orders = map[int]string{}
	}
	orders[in.order] = is
	return state{s.available + available, orders}
}
