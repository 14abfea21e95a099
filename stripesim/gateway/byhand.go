package gateway

import (
	"cmp"
	"context"
	"slices"

	"github.com/gin-gonic/gin"
)

// What an operator does at a gateway's dashboard, or a bank by itself, is done by hand here. No faults strike it.

// byHand serves an endpoint without faults and idempotency keys.
func (g *Gateway) byHand(e endpoint) gin.HandlerFunc {
	return func(c *gin.Context) {
		params, problem := readParams(c, e.params)
		if problem != nil {
			writeError(c, problem)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), callTimeout)
		defer cancel()
		g.write(c, g.response(ctx, c, e, strike{}, "", params), "")
	}
}

// changeRefund gives a refund another status.
var changeRefund = endpoint{params: []string{"status", "failure_reason"}, run: func(c *call) (any, error) {
	status := c.params.Get("status")
	if !slices.Contains(refundStatuses, status) {
		return nil, invalid("status", "", "status must be one of %v.", refundStatuses)
	}
	r, i, err := lockRefund(c, c.id)
	if err != nil {
		return nil, err
	}
	err = r.move(c, i, status, cmp.Or(c.params.Get("failure_reason"), cardGone))
	return r.object(), err
}}

// createDispute disputes a payment.
var createDispute = endpoint{params: []string{"payment_intent", "reason", "status"}, run: func(c *call) (any, error) {
	id, status := c.params.Get("payment_intent"), cmp.Or(c.params.Get("status"), needsResponse)
	if id == "" {
		return nil, missing("payment_intent")
	}
	if status != needsResponse && status != inquiry {
		return nil, invalid("status", "", "status must be %s or %s.", needsResponse, inquiry)
	}
	i, err := lockIntent(c, id)
	if err != nil {
		return nil, err
	}
	if i.Status != succeeded {
		return nil, refused("", "This PaymentIntent (%s) has taken no money that could be disputed.", i.ID)
	}
	d, err := i.openDispute(c, status, cmp.Or(c.params.Get("reason"), "fraudulent"))
	if err != nil {
		return nil, err
	}
	return d.object(), nil
}}
