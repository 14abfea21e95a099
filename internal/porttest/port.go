// Package porttest finds ports for servers that a test starts, stops and starts again.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports stay below 32768, where the range begins from which Linux takes the local ports of outgoing connections. Such a
// connection can take a port of that range while its server is stopped. It can even connect to itself, if the kernel chooses
// the very port that it calls as its local one.
const from, to, attempts = 10_000, 20_000, 1000

// Free returns a free port of the loopback interface.
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

// FreeAddress returns 127.0.0.1 with a free port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return address(Free(t))
}

func address(n int) string { return fmt.Sprintf("127.0.0.1:%d", n) }
