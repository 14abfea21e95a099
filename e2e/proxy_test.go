package e2e

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// proxy is between a program and a service, so that a test can cut the service off for one system only.
type proxy struct {
	target   string
	listener net.Listener

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	held  *heldResponses // nil while all pass
	wg    sync.WaitGroup
}

// heldResponses are held from the moment that a program sends a text until they are released.
type heldResponses struct {
	after    []byte        // the text
	reached  chan struct{} // closed when it was sent
	released chan struct{}
}

// newProxy forwards to target (host:port) until the test ends.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, listener: listener, conns: map[net.Conn]bool{}}
	p.wg.Go(p.serve)
	t.Cleanup(func() { listener.Close(); p.release(); p.down(); p.wg.Wait() })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.forward(client) })
	}
}

func (p *proxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)
	var both sync.WaitGroup
	both.Go(func() { pass(client, server, p.request) })
	both.Go(func() { pass(server, client, p.response) })
	both.Wait()
}

// pass copies until either side closes, and then closes both. before sees each piece before it goes on.
func pass(from, to net.Conn, before func([]byte)) {
	defer from.Close()
	defer to.Close()
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		before(piece[:n])
		if _, failed := to.Write(piece[:n]); failed != nil || err != nil {
			return
		}
	}
}

// holdResponses holds the service's responses from the moment that a program sends text, until release. reached is closed
// at that moment.
func (p *proxy) holdResponses(text string) (reached <-chan struct{}) {
	h := &heldResponses{after: []byte(text), reached: make(chan struct{}), released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = h
	return h.reached
}

// release lets the responses pass.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held.released)
		p.held = nil
	}
}

func (p *proxy) request(piece []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil && !closed(p.held.reached) && bytes.Contains(piece, p.held.after) {
		close(p.held.reached)
	}
}

func (p *proxy) response([]byte) {
	p.mu.Lock()
	h := p.held
	p.mu.Unlock()
	if h != nil && closed(h.reached) {
		<-h.released
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

func (p *proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// down cuts every connection and refuses new ones until up.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
}

// up lets connections through again.
func (p *proxy) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}
