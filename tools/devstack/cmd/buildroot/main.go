// buildroot builds the root file system before `devstack up` needs it. It is a separate program because it compiles in a second:
// the Makefile runs it while bin/devstack, with the Temporal server in it, compiles for minutes. When it fails, `devstack up`
// tries again and says what is wrong.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "buildroot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == rootfs.Command { // itself again, in its own namespaces
		return rootfs.RunRecipe(args[1])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return rootfs.Build(ctx, rootfs.Path(config.CacheDir(os.Getenv)), func(step string) {
		fmt.Println("meanwhile: root file system:", step)
	})
}
