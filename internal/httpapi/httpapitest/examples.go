package httpapitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
		value, err := exampleOf(p.schema)
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
		body, err := exampleOf(schema)
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
func exampleOf(s *jsonschema.Schema) (any, error) {
	switch {
	case s.Ref != nil:
		return exampleOf(s.Ref)
	case len(s.Examples) > 0:
		return s.Examples[0], nil
	case s.Enum != nil:
		return s.Enum.Values[0], nil
	case s.Default != nil:
		return *s.Default, nil
	case s.Items2020 != nil:
		item, err := exampleOf(s.Items2020)
		return []any{item}, err
	case s.Properties == nil:
		return nil, fmt.Errorf("%s has no example", s.Location)
	}
	members := map[string]any{}
	for name, member := range s.Properties {
		value, err := exampleOf(member)
		if err != nil {
			return nil, err
		}
		members[name] = value
	}
	return members, nil
}
