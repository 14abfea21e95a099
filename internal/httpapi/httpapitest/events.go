package httpapitest

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// decodeEvents reads a stream of server-sent events with JSON data as a list of objects whose members are the events'
// fields. It skips an incomplete last event, as browsers do.
func decodeEvents(stream string) (any, error) {
	events := []any{}
	blocks := strings.Split(stream, "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		event := map[string]any{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ":")
			if name != "" && event[name] != nil {
				return nil, fmt.Errorf("field %s twice in the event %q", name, block)
			}
			event[name] = strings.TrimPrefix(value, " ")
		}
		delete(event, "") // comments
		text, ok := event["data"].(string)
		if !ok {
			continue // only a comment or a retry time
		}
		data, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("the data of the event %q: %w", block, err)
		}
		event["data"] = data
		events = append(events, event)
	}
	return events, nil
}
