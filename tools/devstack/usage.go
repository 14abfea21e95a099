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
  devstack stop SERVICE... | start SERVICE...    one or more of them, to see how the others cope
  devstack status [--json] [--data DIR]          what runs, where, and with which process ID
  devstack logs [-f] [-n LINES] [SERVICE...]     what services write
  devstack clean [--data DIR]                    stop it and remove its data
  devstack env [PROGRAM]                         variables for tests and tools, or one program's, for eval in a shell
  devstack exec [--services-only] [--fsync] -- COMMAND
                                                 run COMMAND with a throw-away stack of its own, on free ports; without
                                                 --fsync a crash of the machine may break its data

Where things are kept:

  DEVSTACK_DATA           the stack's data; .devstack in the checkout unless given here or by --data
  DEVSTACK_CACHE          the root file system, shared by all stacks; $HOME/.cache/ordersaga unless given. Each version
                          of its recipe makes a new one, of some 650 MB; remove what is old when no stack is up
  DEVSTACK_DEBIAN_MIRROR  where it is built from; debootstrap's own choice unless given

A variable of one of the programs is set by DEVSTACK_<PROGRAM>_<VARIABLE>, for instance
DEVSTACK_WORKER_STRIPE_API_KEY. Ports, with their defaults:

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
