package main

import "github.com/ordersaga/ordersaga/internal/order"

// whatNext ends the demo: where to look and what to try.
func whatNext(out *report, c config, confirmed string) {
	out.title("Every promise was kept. The stack keeps running")
	for _, l := range [][2]string{
		{c.API, "a page for placing orders and watching their sagas"},
		{c.TemporalUI, "sagas: every step, every attempt, every undo (Temporal Web UI)"},
		{c.API + "/docs", "the orders' API"},
		{c.Catalog + "/docs", "the catalog's API"},
		{c.Gateway, "payments and refunds"},
		{c.RabbitMQUI, "queues and messages (admin, admin)"},
	} {
		out.line("%-28s %s", l[0], l[1])
	}
	workflow, address := order.ID(confirmed).WorkflowID(), ""
	if c.Temporal != "127.0.0.1:7233" {
		address = " --address " + c.Temporal
	}
	out.title("Your turn")
	for _, l := range []string{
		"# place an order of your own; the same key returns the same order",
		`curl -i ` + c.API + `/orders \`,
		`  -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first' \`,
		`  -d '{"userId": 42, "items": [{"productId": "` + tea + `", "quantity": 1}]}'`,
		"curl '" + c.API + "/orders?userId=42'",
		"curl " + c.API + "/orders/" + confirmed + "/timeline",
		"",
		"# its saga on the command line (`make tools` builds both in some minutes)",
		"bin/temporal workflow list --query 'WorkflowType = \"CreateOrder\"'" + address,
		"bin/temporal workflow show --workflow-id " + workflow + address,
		"bin/tctl" + address + " workflow show --workflow_id " + workflow,
		"",
		"make status    make logs    make down",
	} {
		out.line("%s", l)
	}
}
