package rabbitmq

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// BenchmarkPublish measures confirmed publishes by 1, 8 and 64 goroutines through one Publisher. Each goroutine waits for its
// confirm before the next publish. One operation is one confirmed publish. Compare with BenchmarkBare.
func BenchmarkPublish(b *testing.B) {
	for _, publishers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(publishers), func(b *testing.B) {
			p, err := NewPublisher(Config{URL: servicestest.RabbitMQ(b), Name: b.Name(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			if err := p.Publish(b.Context(), confirmed(0)); err != nil { // connected
				b.Fatal(err)
			}
			next := make(chan int)
			var working sync.WaitGroup
			for range publishers {
				working.Go(func() {
					for n := range next {
						if err := p.Publish(b.Context(), confirmed(n)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for n := 0; b.Loop(); n++ {
				next <- n
			}
			close(next)
			working.Wait()
		})
	}
}

// BenchmarkBare measures the client library's limit with the same broker and queue: one channel that publishes without pause
// and checks the confirms afterwards.
func BenchmarkBare(b *testing.B) {
	conn, err := amqp.Dial(servicestest.RabbitMQ(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if err := DefaultTopology().declare(conn); err != nil {
		b.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	message, err := encode(confirmed(0))
	if err != nil {
		b.Fatal(err)
	}
	var confirms []*amqp.DeferredConfirmation
	for b.Loop() {
		c, err := ch.PublishWithDeferredConfirm(Exchange, QueueConfirmed, true, false, message)
		if err != nil {
			b.Fatal(err)
		}
		confirms = append(confirms, c)
	}
	for _, c := range confirms {
		c.Wait()
	}
}
