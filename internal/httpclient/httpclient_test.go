package httpclient_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpclient"
)

// A peer that vanishes without a word is noticed on each kind of connection, and the next one works.
func TestAConnectionToADeadPeerIsNotUsedForLong(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			var dialed deadable
			transport := httpclient.NewTransport()
			transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			transport.DialContext = dialed.dial
			t.Cleanup(transport.CloseIdleConnections)
			call := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := (&http.Client{Transport: transport}).Do(req)
				if err != nil {
					return err
				}
				if res.ProtoMajor == 2 != http2 {
					t.Errorf("the response came by %s", res.Proto)
				}
				return res.Body.Close()
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
			dialed.die()
			if call() == nil {
				t.Fatal("a call on a dead connection succeeded")
			}
			for began := time.Now(); call() != nil; {
				if time.Since(began) > 30*time.Second {
					t.Fatal("calls still use the dead connection")
				}
			}
		})
	}
}

// deadable dials connections that can die all at once: they neither deliver nor report anything from then on.
type deadable struct {
	mu    sync.Mutex
	conns []*deadConn
}

func (d *deadable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &deadConn{Conn: conn, closed: make(chan struct{})}
	d.conns = append(d.conns, c)
	return c, nil
}

func (d *deadable) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.dead.Store(true)
	}
}

type deadConn struct {
	net.Conn
	dead   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *deadConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.dead.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *deadConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *deadConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
