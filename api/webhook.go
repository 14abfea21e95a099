package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// webhookPath is where the payment gateway sends its events.
const webhookPath = "/stripe/webhook"

// maxEvent bounds the events that are read, in bytes. Those of interest have a few kilobytes.
const maxEvent = 256 << 10

// webhook receives payment events. It accepts only signed ones, and does nothing but start a workflow, which looks up what
// is true. The gateway sends an event again until the response is 2xx.
type webhook struct {
	secret string // the endpoint's signing secret
	start  func(context.Context, order.PaymentEvent) error
}

func (h webhook) register(api *httpapi.API) { api.Router.POST(webhookPath, h.receive) }

func (h webhook) receive(c *gin.Context) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxEvent))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		httpapi.Respond(c, problem.TooLarge.New("an event must not be larger than %d bytes", maxEvent))
		return
	}
	if err != nil {
		httpapi.Respond(c, problem.Malformed.New("the event arrived incomplete"))
		return
	}
	event, err := stripe.ReadEvent(body, c.GetHeader("Stripe-Signature"), h.secret)
	switch {
	case errors.Is(err, stripe.ErrOtherEvent):
		c.Status(http.StatusNoContent)
		return
	case err != nil:
		httpapi.Respond(c, problem.Malformed.New("%s", err))
		return
	}
	ctx := c.Request.Context()
	httpapi.Annotate(ctx, "event", event.ID, "eventType", string(event.Type))
	if err := h.start(ctx, event); err != nil {
		httpapi.Log(ctx).Warn("a payment event was not accepted; the gateway will send it again", "error", err.Error())
		httpapi.Respond(c, problem.Unavailable.New("the event cannot be accepted now").WithHeader("Retry-After", "30"))
		return
	}
	c.Status(http.StatusAccepted)
}
