package rabbitmq

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ordersaga/ordersaga/internal/order"
)

// schemas describe the bodies for consumers in other languages; docs/events.md explains them.
const schemas = "../../docs/events"

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(filepath.Join(schemas, file))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, body []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestBodiesMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	finished, attention := compile(t, "order-finished.v1.schema.json"), compile(t, "order-needs-attention.v1.schema.json")
	refund, shipment := compile(t, "order-refund.v1.schema.json"), compile(t, "order-shipment.v1.schema.json")
	for name, schema := range map[string]*jsonschema.Schema{
		"confirmed": finished, "declined": finished, "never-priced": finished, "needs-attention": attention,
		"refunded": refund, "units-returned": refund, "refund-refused": refund, "refund-failed": refund,
		"shipped": shipment, "delivered": shipment,
	} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var fields any
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
		documented(t, name, schema, fields)
	}
	for _, status := range []order.Status{order.Failed, order.Cancelled} {
		e := declined()
		e.Status = status
		m, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, finished, m.Body); err != nil {
			t.Errorf("%s: %v", status, err)
		}
	}
}

// documented checks that the schema describes every field, also those of objects in it.
func documented(t *testing.T, name string, schema *jsonschema.Schema, value any) {
	t.Helper()
	for schema != nil && schema.Ref != nil {
		schema = schema.Ref
	}
	switch value := value.(type) {
	case map[string]any:
		for field, of := range value {
			if schema == nil || schema.Properties[field] == nil {
				t.Errorf("%s.%s is not in the schema", name, field)
				continue
			}
			documented(t, name+"."+field, schema.Properties[field], of)
		}
	case []any:
		for _, of := range value {
			documented(t, name, schema.Items2020, of)
		}
	}
}

func TestTheSchemaRejectsOtherBodies(t *testing.T) {
	t.Parallel()
	schema := compile(t, "order-finished.v1.schema.json")
	m, err := encode(confirmed(7))
	if err != nil {
		t.Fatal(err)
	}
	body := string(m.Body)
	for name, change := range map[string][2]string{
		"another version":     {`"version":1`, `"version":2`},
		"an invalid order ID": {`"orderId":"0197a4b2-`, `"orderId":"`},
		"another type":        {`ORDER_CONFIRMED`, `ORDER_NEEDS_ATTENTION`},
		"a type that lies":    {`ORDER_CONFIRMED`, `ORDER_CANCELLED`},
		"a status that lies":  {`"status":"CONFIRMED"`, `"status":"FAILED"`},
		"a float for money":   {`"amount":6548`, `"amount":65.48`},
		"a currency in words": {`"currency":"USD"`, `"currency":"dollars"`},
		"no lines":            {`"items":[`, `"others":[`},
		"no time":             {`"occurredAt":"2026`, `"occurredAt":"26`},
	} {
		changed := strings.Replace(body, change[0], change[1], 1)
		if changed == body {
			t.Errorf("%s: %q is not in the body", name, change[0])
		}
		if err := validate(t, schema, []byte(changed)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTheSchemasOfRefundsAndShipmentsRejectOtherBodies(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct{ schema, example, from, to string }{
		"another version":            {"order-refund", "refunded", `"version": 1`, `"version": 2`},
		"another type":               {"order-refund", "refunded", `ORDER_REFUNDED`, `ORDER_SHIPPED`},
		"a refund that gives why":    {"order-refund", "refund-refused", `ORDER_REFUND_REFUSED`, `ORDER_REFUNDED`},
		"a failure that does not":    {"order-refund", "refund-failed", `"reason"`, `"other"`},
		"an unknown kind":            {"order-refund", "refunded", `"RETURN"`, `"GIFT"`},
		"an unknown way":             {"order-refund", "refunded", `"GATEWAY"`, `"CASH"`},
		"no amount":                  {"order-refund", "refunded", `"amount": {`, `"sum": {`},
		"an invalid refund ID":       {"order-refund", "refunded", `"refundId": "0197a4b2-`, `"refundId": "`},
		"fewer than no units":        {"order-refund", "refunded", `"restock": 1`, `"restock": -1`},
		"a shipment of another type": {"order-shipment", "shipped", `ORDER_SHIPPED`, `ORDER_LOST`},
		"a shipment of nothing":      {"order-shipment", "shipped", `"lines": [`, `"others": [`},
		"no units":                   {"order-shipment", "shipped", `"quantity": 2`, `"quantity": 0`},
	} {
		body, err := os.ReadFile(filepath.Join("testdata", change.example+".json"))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(body), change.from, change.to, 1)
		if changed == string(body) {
			t.Errorf("%s: %q is not in the body", name, change.from)
		}
		if err := validate(t, compile(t, change.schema+".v1.schema.json"), []byte(changed)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
