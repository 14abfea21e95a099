package rabbitmq

import (
	"context"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The timeouts of everything that waits for the broker.
const (
	heartbeat    = 5 * time.Second  // a broker that is silent for three of them is taken to be gone
	dialTimeout  = 5 * time.Second  // for the TCP connection
	writeTimeout = 10 * time.Second // for one write to a socket that the broker does not read
	setupTimeout = 30 * time.Second // for dialling, handshake and declaring the topology together
	closeTimeout = 5 * time.Second  // for closing a connection in order
)

// dial opens a connection. ctx bounds the whole handshake: when it ends, it closes the socket.
func dial(ctx context.Context, url, name string) (*amqp.Connection, *socket, error) {
	var s *socket
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTimeout}
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			s = &socket{Conn: c, timeout: writeTimeout}
			s.closeWhenDone(ctx)
			return s, nil
		},
	})
	if s == nil {
		return nil, nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	if err != nil {
		s.kill()
		return nil, nil, fmt.Errorf("connect to RabbitMQ at %s: %w", s.RemoteAddr(), err)
	}
	return conn, s, nil
}

// socket puts a deadline on every write. The client library ignores contexts once it writes, and a broker that is short
// of memory or disk stops reading from publishers.
type socket struct {
	net.Conn
	timeout time.Duration // of a write
	keep    func() bool   // undoes closeWhenDone; false if it was too late
}

func (s *socket) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

func (s *socket) closeWhenDone(ctx context.Context) {
	s.keep = context.AfterFunc(ctx, func() { _ = s.Close() })
}

// kill closes the socket without telling the broker. That wakes every goroutine that waits on the connection.
func (s *socket) kill() {
	s.keep()
	_ = s.Close()
}

// closeConnection closes the connection in order, or the socket if the broker does not respond in time: a broker that
// does not read still sends heartbeats, and those would keep an orderly close waiting forever.
func closeConnection(conn *amqp.Connection, s *socket) {
	s.keep()
	hangUp := time.AfterFunc(closeTimeout, func() { _ = s.Close() })
	defer hangUp.Stop()
	_ = conn.CloseDeadline(time.Now().Add(closeTimeout)) // it is closed either way
}
