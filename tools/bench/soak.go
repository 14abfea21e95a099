package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ordersaga/ordersaga/api/orderclient"
)

// soak places orders at the stack's own api, and prints the memory of each program before, after each tenth, and after.
func (s *stack) soak(ctx context.Context, w io.Writer) error {
	orders, err := orderclient.New(s.c.API, orderclient.WithHTTPClient(s.http), orderclient.WithTries(1, 0))
	if err != nil {
		return err
	}
	run := func(ctx context.Context) (string, error) { return placeOrder(ctx, orders, s.request(goodCard)) }
	var names []string
	for part := range 11 {
		upTo := func(n int) int { return n * s.o.soak / 10 }
		if n := upTo(part) - upTo(max(0, part-1)); n > 0 {
			if _, err := closedLoop(ctx, run, s.o.clients, func(placed int) bool { return placed < n }); err != nil {
				return err
			}
		}
		used, err := s.usage(ctx)
		if err != nil {
			return err
		}
		memory := used.memory()
		delete(memory, "client")
		if names == nil {
			names = slices.Sorted(maps.Keys(memory))
			fmt.Fprintf(w, "\nMemory in MiB (PSS)\n%8s %8s", "orders", "all")
			for _, name := range names {
				fmt.Fprintf(w, " %*s", max(6, len(name)), name)
			}
			fmt.Fprintln(w)
		}
		all := 0.0
		for _, mib := range memory {
			all += mib
		}
		fmt.Fprintf(w, "%8d %8.0f", upTo(part), all)
		for _, name := range names {
			fmt.Fprintf(w, " %*.0f", max(6, len(name)), memory[name])
		}
		fmt.Fprintln(w)
	}
	return nil
}
