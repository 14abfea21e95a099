package httpapitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// examples returns a request for each operation, made of the examples in the document. A body and a path must have
// examples for all of their parts; a query parameter or a header without one is left out.
func (d *Document) examples() ([]*http.Request, error) {
	var all []*http.Request
	for _, op := range d.operations {
		r, err := op.example()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.method, op.path, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (op *operation) example() (*http.Request, error) {
	path, query, header := op.path, url.Values{}, http.Header{}
	for _, p := range op.parameters {
		value, err := exampleOf(p.schema.source)
		if err != nil && !p.required {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		switch p.in {
		case "path":
			path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(fmt.Sprint(value)), 1)
		case "query":
			query.Set(p.name, fmt.Sprint(value))
		case "header":
			header.Set(p.name, fmt.Sprint(value))
		}
	}
	var text []byte
	for media, schema := range op.bodies {
		body, err := exampleOf(schema.source)
		if err != nil {
			return nil, err
		}
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
		header.Set("Content-Type", media)
	}
	r := httptest.NewRequest(op.method, path+"?"+query.Encode(), strings.NewReader(string(text)))
	r.Header = header
	return r, nil
}

// exampleOf returns a value that a schema describes, made of the examples of its members.
func exampleOf(schema any) (any, error) {
	s, _ := schema.(map[string]any)
	for _, keyword := range []string{"examples", "enum"} {
		if values, ok := s[keyword].([]any); ok && len(values) > 0 {
			return values[0], nil
		}
	}
	if value, ok := s["default"]; ok {
		return value, nil
	}
	switch s["type"] {
	case "array":
		item, err := exampleOf(s["items"])
		return []any{item}, err
	case "object":
		members := map[string]any{}
		properties, _ := s["properties"].(map[string]any)
		for name, member := range properties {
			value, err := exampleOf(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			members[name] = value
		}
		return members, nil
	}
	return nil, fmt.Errorf("there is no example: %v", s["description"])
}
