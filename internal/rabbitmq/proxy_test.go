package rabbitmq

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is a network between a program and the broker, which a test can disturb.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []*net.TCPConn
	mute  *atomic.Bool // the present connections drop what the broker sends
	deaf  *atomic.Bool // the present connections drop what clients send
	wait  sync.WaitGroup
}

// startProxy makes config use a proxy.
func startProxy(t *testing.T, config *Config) *proxy {
	t.Helper()
	u, err := url.Parse(config.URL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: u.Host, mute: new(atomic.Bool), deaf: new(atomic.Bool)}
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.wait.Wait()
	})
	u.Host = listener.Addr().String()
	config.URL = u.String()
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.join(client.(*net.TCPConn), broker.(*net.TCPConn))
	}
}

func (p *proxy) join(client, broker *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, client, broker)
	mute, deaf := p.mute, p.deaf
	p.wait.Go(func() { pipe(broker, client, deaf) })
	p.wait.Go(func() { pipe(client, broker, mute) })
}

func pipe(to, from *net.TCPConn, lost *atomic.Bool) {
	defer to.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if lost.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			_, _ = io.Copy(io.Discard, from)
			return
		}
	}
}

// dropFromBroker drops what the broker sends on the present connections. New connections work.
func (p *proxy) dropFromBroker() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute.Store(true)
	p.mute = new(atomic.Bool)
}

// dropAll drops what either side sends on the present connections. New connections work.
func (p *proxy) dropAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute.Store(true)
	p.deaf.Store(true)
	p.mute, p.deaf = new(atomic.Bool), new(atomic.Bool)
}

// say sends an AMQP method to the clients in the broker's name. The connections must be idle, or it would interrupt a frame.
func (p *proxy) say(t *testing.T, method byte, arguments string) {
	t.Helper()
	payload := append([]byte{0, 10, 0, method}, arguments...)
	frame := append([]byte{1, 0, 0, 0, 0, 0, byte(len(payload))}, payload...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.conns); i += 2 { // client, broker, client, broker, …
		if _, err := p.conns[i].Write(append(frame, 0xCE)); err != nil {
			t.Fatal(err)
		}
	}
}

// cut resets the present connections. New connections work.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	p.conns, p.mute, p.deaf = nil, new(atomic.Bool), new(atomic.Bool)
}
