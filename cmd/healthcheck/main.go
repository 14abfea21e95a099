// Command healthcheck requests one URL and exits 0 if the response is 200, 1 otherwise. It is for container images
// without a shell or curl:
//
//	healthcheck http://127.0.0.1:8080/readyz
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ordersaga/ordersaga/internal/program"
)

// timeout bounds the whole check. It is less than what docker-compose.yml gives a check.
const timeout = 2 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "healthcheck:", err)
		os.Exit(program.ExitFailed)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the URL to request; got %d", len(args))
	}
	if args[0] == "--version" {
		fmt.Println("healthcheck", program.Version())
		return nil
	}
	client := http.Client{Timeout: timeout}
	res, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // names what is not ready; `docker inspect` shows it
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", args[0], res.Status, body)
	}
	return nil
}
