package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/ordersaga/ordersaga/internal/order"
)

// maxBody bounds what is read of an answer.
const maxBody = 64 << 10

// post sends body as JSON and returns what comes back.
func (s *stack) post(ctx context.Context, url string, body any, headers ...string) (int, []byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	return res.StatusCode, answer, err
}

// overHTTP places the order at the api, as a shop would: with a key, and waiting for the outcome.
func (s *stack) overHTTP(ctx context.Context, req order.Request) (order.Order, error) {
	status, body, err := s.post(ctx, s.c.API+"/orders", map[string]any{
		"userId": req.UserID, "items": req.Items, "paymentMethod": req.PaymentMethod,
	}, "Idempotency-Key", string(req.ID), "Prefer", "wait=30")
	if err != nil {
		return order.Order{}, err
	}
	var answer struct {
		ID      order.ID     `json:"id"`      // of an order
		OrderID order.ID     `json:"orderId"` // of a problem
		Type    string       `json:"type"`
		Status  order.Status `json:"status"`
	}
	switch status {
	case http.StatusCreated:
		err = json.Unmarshal(body, &answer)
		return order.Order{ID: answer.ID, Status: answer.Status}, err
	case http.StatusBadRequest:
		var declined struct {
			OrderID order.ID `json:"orderId"`
		}
		err = json.Unmarshal(body, &declined)
		return order.Order{ID: declined.OrderID, Status: order.Failed}, err
	default:
		return order.Order{}, fmt.Errorf("the api answered %d %s", status, body)
	}
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
