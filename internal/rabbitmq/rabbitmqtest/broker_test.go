package rabbitmqtest_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

func TestBrokerKeepsItsQueuesWhenItIsStoppedKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	b := rabbitmqtest.Start(t)
	declare := func(passive bool) {
		t.Helper()
		ch := rabbitmqtest.Channel(t, b.URL)
		declare := ch.QueueDeclare
		if passive {
			declare = ch.QueueDeclarePassive
		}
		if _, err := declare("q", true, false, false, false, nil); err != nil {
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
