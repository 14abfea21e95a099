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
	for name, schema := range map[string]*jsonschema.Schema{
		"confirmed": finished, "declined": finished, "never-priced": finished, "needs-attention": attention,
	} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var fields map[string]any
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
		for field := range fields {
			if schema.Properties[field] == nil {
				t.Errorf("%s: the schema does not document %q", name, field)
			}
		}
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
