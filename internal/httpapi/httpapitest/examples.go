package httpapitest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Example is a request of one operation, put together from the examples in its description.
type Example struct {
	Method, Path, Body string
	Headers            []string // as "Name: value"
}

// Examples returns one for each operation. What a body or a path is made of has to have an example, or it is an error; a
// query or a header may go without.
func (d *Document) Examples() ([]Example, error) {
	var all []Example
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			e, err := example(method, path, op)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			all = append(all, e)
		}
	}
	return all, nil
}

func example(method, path string, op *openapi3.Operation) (Example, error) {
	e := Example{Method: method, Path: path}
	query := url.Values{}
	for _, p := range op.Parameters {
		value, err := exampleOf(p.Value.Schema)
		switch {
		case err != nil && (p.Value.Required || p.Value.In == openapi3.ParameterInPath):
			return Example{}, fmt.Errorf("%s: %w", p.Value.Name, err)
		case err != nil:
		case p.Value.In == openapi3.ParameterInPath:
			e.Path = strings.Replace(e.Path, "{"+p.Value.Name+"}", url.PathEscape(plain(value)), 1)
		case p.Value.In == openapi3.ParameterInQuery:
			query.Set(p.Value.Name, plain(value))
		case p.Value.In == openapi3.ParameterInHeader:
			e.Headers = append(e.Headers, p.Value.Name+": "+plain(value))
		}
	}
	if len(query) > 0 {
		e.Path += "?" + query.Encode()
	}
	if op.RequestBody == nil {
		return e, nil
	}
	for contentType, media := range op.RequestBody.Value.Content {
		body, err := exampleOf(media.Schema)
		if err != nil {
			return Example{}, err
		}
		text, err := json.Marshal(body)
		if err != nil {
			return Example{}, err
		}
		e.Headers, e.Body = append(e.Headers, "Content-Type: "+contentType), string(text)
	}
	return e, nil
}

// plain is a value as a part of a URL or a header has it.
func plain(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// exampleOf is an example of the values that a schema describes, made of those of its members.
func exampleOf(ref *openapi3.SchemaRef) (any, error) {
	s := ref.Value
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0], nil
	case len(s.Enum) > 0:
		return s.Enum[0], nil
	case s.Default != nil:
		return s.Default, nil
	case s.Type.Is(openapi3.TypeArray):
		item, err := exampleOf(s.Items)
		return []any{item}, err
	case s.Type.Is(openapi3.TypeObject):
		return exampleObject(s)
	}
	return nil, fmt.Errorf("%s has no example: %s", strings.Join(s.Type.Slice(), " or "), s.Description)
}

func exampleObject(s *openapi3.Schema) (any, error) {
	members := map[string]any{}
	for name, member := range s.Properties {
		value, err := exampleOf(member)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		members[name] = value
	}
	return members, nil
}
