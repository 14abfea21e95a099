// Command api serves orders over HTTP. `api --help` lists its configuration.
package main

import (
	"github.com/ordersaga/ordersaga/api"
	"github.com/ordersaga/ordersaga/internal/program"
)

func main() {
	program.Main("api", "orders over HTTP", api.Run)
}
