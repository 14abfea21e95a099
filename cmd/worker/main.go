// Command worker runs the workflows and activities of the order saga. `worker --help` lists its configuration.
package main

import (
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/worker"
)

func main() {
	program.Main("worker", "runs the workflows and activities of the order saga", worker.Run)
}
