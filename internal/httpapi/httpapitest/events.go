package httpapitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// decodeEvents reads a stream of server-sent events with data in JSON as a list of objects, which have the fields of the
// events as members. What a stream that broke has of its last event is left out, as browsers do.
func decodeEvents(
	stream io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn,
) (any, error) {
	text, err := io.ReadAll(stream)
	if err != nil {
		return nil, err
	}
	events := []any{}
	blocks := strings.Split(string(text), "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		event, err := decodeEvent(block)
		if err != nil {
			return nil, err
		}
		if event["data"] != nil { // not only a comment, or a time to wait before the next connection
			events = append(events, event)
		}
	}
	return events, nil
}

func decodeEvent(block string) (map[string]any, error) {
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
		return event, nil
	}
	data := json.NewDecoder(strings.NewReader(text))
	data.UseNumber()
	var value any
	if err := data.Decode(&value); err != nil {
		return nil, fmt.Errorf("the data of the event %q: %w", block, err)
	}
	event["data"] = value
	return event, nil
}
