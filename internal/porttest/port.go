// Package porttest finds ports for what a test starts, stops and starts again.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports stay below 32768, where Linux starts to take the local ports of outgoing connections from. While nobody listens
// on a port of that range, such a connection can take it; even one to the port itself, which then succeeds: the kernel
// has chosen the same port for the caller.
const from, to, attempts = 10_000, 20_000, 1000

// Free returns a port of the loopback interface on which nobody listens at present.
func Free(t testing.TB) int {
	t.Helper()
	for range attempts {
		n := from + rand.IntN(to-from)
		if l, err := net.Listen("tcp", address(n)); err == nil {
			_ = l.Close()
			return n
		}
	}
	t.Fatalf("no free port between %d and %d", from, to)
	return 0
}

// FreeAddress returns 127.0.0.1 with a port on which nobody listens at present.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return address(Free(t))
}

func address(n int) string { return fmt.Sprintf("127.0.0.1:%d", n) }
