// Command notifier tells customers how their orders ended. `notifier --help` lists its configuration.
package main

import (
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/notifier"
)

func main() {
	program.Main("notifier", "tells customers how their orders ended", notifier.Run)
}
