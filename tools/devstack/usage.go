package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

const intro = `devstack runs PostgreSQL with DocumentDB, RabbitMQ, FerretDB, Temporal with its Web UI, and the project's programs.
Everything listens on 127.0.0.1 only.

  devstack up [--services-only] [--data DIR]     start the stack; returns when everything is ready
  devstack down [--data DIR]                     stop it; its data stays
  devstack stop SERVICE... | start SERVICE...    stop or start some of them, to see how the others cope
  devstack status [--json] [--data DIR]          list the services with their addresses and process IDs
  devstack logs [-f] [-n LINES] [SERVICE...]     show the services' logs
  devstack clean [--data DIR]                    stop it and remove its data
  devstack env [PROGRAM]                         print variables for tests and tools, or for one program, for eval
  devstack exec [--services-only] [--fsync] -- COMMAND
                                                 run COMMAND with a throw-away stack on free ports; without --fsync, a
                                                 crash of the machine may break its data

Directories and the Debian mirror:

  DEVSTACK_DATA           the stack's data; default: .devstack in the checkout
  DEVSTACK_CACHE          the root file system, shared by all stacks; default: $HOME/.cache/ordersaga. A new version of its
                          recipe builds a new one of 650 MB; remove old ones while no stack is up
  DEVSTACK_DEBIAN_MIRROR  the source of its packages; default: debootstrap's

DEVSTACK_<PROGRAM>_<VARIABLE> sets a variable of a program, for example DEVSTACK_WORKER_STRIPE_API_KEY. Ports, with their
defaults:

`

func usage() string {
	var b strings.Builder
	b.WriteString(intro)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range config.Ports {
		fmt.Fprintf(table, "  %s\t%d\t%s\n", p.Variable(), p.Default, p.Purpose)
	}
	table.Flush()
	return b.String()
}
