package rabbitmqtest

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Channel returns a channel to the broker, on a connection of its own that ends with the test.
func Channel(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	ch, hangUp := Open(t, url)
	t.Cleanup(hangUp)
	return ch
}

// Open is Channel for a caller that closes the connection itself.
func Open(t testing.TB, url string) (ch *amqp.Channel, hangUp func()) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	if ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	return ch, func() { _ = conn.Close() }
}
