package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// soak places orders at the stack's own api, and prints the memory of each program before, after each tenth, and after.
func (s *stack) soak(ctx context.Context, w io.Writer) error {
	orders, err := s.client(s.c.API)
	if err != nil {
		return err
	}
	run := func(ctx context.Context) (string, error) { return placeOrder(ctx, orders, newRequest(goodCard)) }
	memory := table{title: "Memory in MiB (PSS)", format: "%.0f"}
	for part := range 11 {
		upTo := func(n int) int { return n * s.o.Soak / 10 }
		if _, err := placing(ctx, run, s.o.Concurrency, load.Times(upTo(part)-upTo(max(0, part-1)))); err != nil {
			return err
		}
		used, err := s.usage(ctx)
		if err != nil {
			return err
		}
		now := used.memory()
		delete(now, "client")
		all := 0.0
		for _, mib := range now {
			all += mib
		}
		now["all"] = all
		memory.add(fmt.Sprintf("%d orders", upTo(part)), now)
		s.say("%d orders: %.0f MiB", upTo(part), all)
	}
	memory.print(w)
	return nil
}
