package httpapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// operation is an operation of a document, with its schemas compiled.
type operation struct {
	id, method, path string
	parameters       []parameter
	bodies           bodies // nil: a body is not allowed
	bodyRequired     bool
	responses        map[string]response
}

type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
}

type response struct {
	bodies   bodies
	headers  map[string]*jsonschema.Schema
	problems []string // the types that its description names
}

// checkText checks a value that a URL or a header holds as text.
func checkText(s *jsonschema.Schema, text string) error {
	if s.Types != nil && slices.Contains(s.Types.ToStrings(), "string") || !json.Valid([]byte(text)) {
		return s.Validate(text)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// match reports whether a request is for the operation, and returns the values of the parameters in its path.
func (op *operation) match(r *http.Request) (map[string]string, bool) {
	template, parts := strings.Split(op.path, "/"), strings.Split(r.URL.EscapedPath(), "/")
	if r.Method != op.method || len(template) != len(parts) {
		return nil, false
	}
	values := map[string]string{}
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if name, ok := strings.CutPrefix(template[i], "{"); ok && err == nil && text != "" {
			values[strings.TrimSuffix(name, "}")] = text
		} else if text != template[i] {
			return nil, false
		}
	}
	return values, true
}

func (op *operation) checkParameters(r *http.Request, path map[string]string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	for _, p := range op.parameters {
		var values []string
		switch p.in {
		case "path":
			values = []string{path[p.name]}
		case "query":
			values = query[p.name]
			delete(query, p.name)
		case "header":
			values = r.Header.Values(p.name)
		}
		if len(values) > 1 && p.in == "query" || len(values) == 0 && p.required {
			return fmt.Errorf("parameter %s is sent %d times", p.name, len(values))
		}
		for _, value := range values {
			if err := checkText(p.schema, value); err != nil {
				return fmt.Errorf("parameter %s: %w", p.name, err)
			}
		}
	}
	for name := range query {
		return fmt.Errorf("parameter %s is not described", name)
	}
	return nil
}

// documented lists the responses of an operation: "201", and for problems the status with each type, for example
// "404 /problems/order-not-found".
func (op *operation) documented() []string {
	var all []string
	for status, r := range op.responses {
		if len(r.problems) == 0 {
			all = append(all, status)
		}
		for _, kind := range r.problems {
			all = append(all, status+" "+kind)
		}
	}
	return all
}

var problemType = regexp.MustCompile("`(/problems/[a-z-]+)`")

// spec is the part of an OpenAPI document that is checked.
type spec struct {
	Paths map[string]map[string]struct {
		OperationID string
		Parameters  []struct {
			Name, In string
			Required bool
		}
		RequestBody *struct {
			Required bool
			Content  map[string]any
		}
		Responses map[string]struct {
			Description string
			Content     map[string]any
			Headers     map[string]any
		}
	}
}

// load reads a document and compiles its schemas. Schemas of OpenAPI 3.1 are JSON Schemas of the draft 2020-12.
func load(path string) ([]*operation, error) {
	c, text, err := open(path)
	if err != nil {
		return nil, err
	}
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	var all []*operation
	for path, methods := range s.Paths {
		for method, described := range methods {
			at := "/paths/" + escape(path) + "/" + method
			op := &operation{
				id: described.OperationID, method: strings.ToUpper(method), path: path, responses: map[string]response{},
			}
			for i, p := range described.Parameters {
				op.parameters = append(op.parameters, parameter{p.Name, p.In, p.Required, c.compile(at, "parameters", strconv.Itoa(i))})
			}
			if body := described.RequestBody; body != nil {
				op.bodyRequired = body.Required
				op.bodies = c.compileAll(body.Content, at, "requestBody", "content")
			}
			for status, r := range described.Responses {
				op.responses[status] = response{
					bodies:   c.compileAll(r.Content, at, "responses", status, "content"),
					headers:  c.compileAll(r.Headers, at, "responses", status, "headers"),
					problems: problemTypes(r.Description),
				}
			}
			all = append(all, op)
		}
	}
	// A path without parameters wins over one with parameters.
	slices.SortFunc(all, func(a, b *operation) int {
		return strings.Compare(strings.ReplaceAll(a.path, "{", "~"), strings.ReplaceAll(b.path, "{", "~"))
	})
	return all, errors.Join(c.errs...)
}

func problemTypes(description string) []string {
	var types []string
	for _, match := range problemType.FindAllStringSubmatch(description, -1) {
		types = append(types, match[1])
	}
	return types
}

// compiler compiles the schemas of one document, and collects the errors.
type compiler struct {
	*jsonschema.Compiler
	errs []error
}

const documentURL = "file:///openapi.json"

// open returns a compiler for a document, and the document as JSON.
func open(path string) (*compiler, []byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, nil, err
	}
	if text, err = json.Marshal(document); err != nil {
		return nil, nil, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	components := root.(map[string]any)["components"].(map[string]any)
	for name, schema := range components["schemas"].(map[string]any) {
		if name != "Problem" {
			schema.(map[string]any)["additionalProperties"] = false
		}
	}
	c := &compiler{Compiler: jsonschema.NewCompiler()}
	c.AssertFormat()
	for name, bits := range map[string]int{"int32": 32, "int64": 64} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: integer(bits)})
	}
	return c, text, c.AddResource(documentURL, root)
}

func (c *compiler) compileAll(described map[string]any, at ...string) map[string]*jsonschema.Schema {
	if described == nil {
		return nil
	}
	all := map[string]*jsonschema.Schema{}
	for name := range described {
		all[name] = c.compile(append(slices.Clone(at), escape(name))...)
	}
	return all
}

// compile compiles the member schema of the object at a JSON pointer.
func (c *compiler) compile(at ...string) *jsonschema.Schema {
	pointer := url.URL{Fragment: strings.Join(at, "/") + "/schema"}
	compiled, err := c.Compile(documentURL + "#" + pointer.EscapedFragment())
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return compiled
}

// escape writes a name as a part of a JSON pointer.
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// integer returns the check of an integer format.
func integer(bits int) func(any) error {
	return func(v any) error {
		n, ok := v.(json.Number)
		if !ok {
			return nil
		}
		if _, err := strconv.ParseInt(n.String(), 10, bits); err != nil {
			return fmt.Errorf("is not an integer of %d bits", bits)
		}
		return nil
	}
}
