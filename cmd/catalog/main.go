// Command catalog: products, prices and stock over HTTP. Package catalog holds it; `catalog --help` lists its
// configuration and its commands for operators.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ordersaga/ordersaga/catalog"
	"github.com/ordersaga/ordersaga/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code, ok := catalog.Command(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if ok {
		os.Exit(code)
	}
	program.Main("catalog", "products, prices and stock over HTTP; "+catalog.CommandList, catalog.Run)
}
