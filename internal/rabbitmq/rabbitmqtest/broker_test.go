package rabbitmqtest_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

func TestBrokerKeepsItsQueuesWhenItIsStoppedKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	b := rabbitmqtest.Start(t)
	declare := func(passive bool) {
		t.Helper()
		conn, err := amqp.Dial(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if passive {
			_, err = ch.QueueDeclarePassive("q", true, false, false, false, nil)
		} else {
			_, err = ch.QueueDeclare("q", true, false, false, false, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	declare(false)
	b.Stop()
	b.Start()
	declare(true)
	b.Kill()
	b.Start()
	declare(true)
	b.Control("status")
}
