// Command catalog: products, prices and stock over HTTP. Package catalog holds it; `catalog --help` lists its
// configuration.
package main

import (
	"github.com/ordersaga/ordersaga/catalog"
	"github.com/ordersaga/ordersaga/internal/program"
)

func main() {
	program.Main("catalog", "products, prices and stock over HTTP", catalog.Run)
}
