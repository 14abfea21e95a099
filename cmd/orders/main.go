// Command orders: orders over HTTP and their sagas, the api and a worker in one process. Packages api and worker hold them;
// `orders --help` lists the configuration, which is that of both.
package main

import "github.com/ordersaga/ordersaga/internal/program"

func main() {
	program.Main("orders", "orders over HTTP and their sagas, in one process", run)
}
