// Command stripesim is a payment gateway that speaks Stripe, with faults on demand. `stripesim --help` lists its
// configuration.
package main

import (
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/stripesim"
)

func main() {
	program.Main("stripesim", "a payment gateway that speaks Stripe, with faults on demand", stripesim.Run)
}
