package httpapitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
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
	for i, p := range op.Parameters {
		value, err := exampleOf(op.schema("parameters", strconv.Itoa(i)))
		if err != nil && !p.Required {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		switch p.In {
		case "path":
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(value)), 1)
		case "query":
			query.Set(p.Name, fmt.Sprint(value))
		case "header":
			header.Set(p.Name, fmt.Sprint(value))
		}
	}
	var text []byte
	if op.RequestBody != nil {
		header.Set("Content-Type", "application/json")
		body, err := exampleOf(op.schema("requestBody", "content", "application/json"))
		if err != nil {
			return nil, err
		}
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
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
