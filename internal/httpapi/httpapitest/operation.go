package httpapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/ordersaga/ordersaga/internal/plain"
)

// operation holds the parts of an operation that the tests check.
type operation struct {
	*schemas
	at, method, path string // at is its JSON pointer

	OperationID string
	Parameters  []parameter
	RequestBody *struct { // nil: a body is not allowed
		Required bool
		Content  map[string]any
	}
	Responses map[string]response
}

type parameter struct {
	Name, In string
	Required bool
}

type response struct {
	Description      string
	Content, Headers map[string]any
}

// problems returns the types of problems that the description names.
func (r response) problems() []string {
	var types []string
	for _, match := range problemType.FindAllStringSubmatch(r.Description, -1) {
		types = append(types, match[1])
	}
	return types
}

var problemType = regexp.MustCompile("`(/problems/[a-z-]+)`")

// schema returns the schema of a part of the operation. It panics if the document is wrong.
func (op *operation) schema(part ...string) *jsonschema.Schema {
	pointer := op.at
	for _, name := range part {
		pointer += "/" + escape(name)
	}
	return op.compile(pointer + "/schema")
}

// checkBody checks a body, or the events of a stream, against the content that is described for it.
func (op *operation) checkBody(content map[string]any, contentType string, body []byte, part ...string) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || content[media] == nil {
		return fmt.Errorf("the Content-Type %q is not described", contentType)
	}
	var value any
	if media == "text/event-stream" {
		value, err = decodeEvents(string(body))
	} else {
		value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body))
	}
	if err != nil {
		return fmt.Errorf("decode the body: %w", err)
	}
	return op.schema(append(part, "content", media)...).Validate(value)
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
	for i, p := range op.Parameters {
		var values []string
		switch p.In {
		case "path":
			values = []string{path[p.Name]}
		case "query":
			values = query[p.Name]
			delete(query, p.Name)
		case "header":
			values = r.Header.Values(p.Name)
		}
		if len(values) > 1 && p.In == "query" || len(values) == 0 && p.Required {
			return fmt.Errorf("parameter %s is sent %d times", p.Name, len(values))
		}
		for _, value := range values {
			if err := checkText(op.schema("parameters", strconv.Itoa(i)), value); err != nil {
				return fmt.Errorf("parameter %s: %w", p.Name, err)
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
	for status, r := range op.Responses {
		kinds := r.problems()
		if len(kinds) == 0 {
			all = append(all, status)
		}
		for _, kind := range kinds {
			all = append(all, status+" "+kind)
		}
	}
	return all
}

// load reads the operations of a document. A path without parameters comes before one with parameters.
func load(path string) ([]*operation, error) {
	schemas, text, err := open(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		Paths map[string]map[string]*operation
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var all []*operation
	for path, methods := range document.Paths {
		for method, op := range methods {
			op.schemas, op.method, op.path = schemas, strings.ToUpper(method), path
			op.at = "/paths/" + escape(path) + "/" + method
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int {
		return strings.Compare(strings.ReplaceAll(a.path, "{", "~"), strings.ReplaceAll(b.path, "{", "~"))
	})
	return all, nil
}

// schemas compiles the schemas of one document when they are needed. Schemas of OpenAPI 3.1 are JSON Schemas of the draft
// 2020-12. It is safe for concurrent use.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// compile returns the schema at a JSON pointer.
func (s *schemas) compile(pointer string) *jsonschema.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compiler.MustCompile(documentURL + "#" + (&url.URL{Fragment: pointer}).EscapedFragment())
}

const documentURL = "file:///openapi.json"

// open returns the schemas of a document, and the document as JSON.
func open(path string) (*schemas, []byte, error) {
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
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, bits := range map[string]int{"int32": 32, "int64": 64} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: integer(bits)})
	}
	for name, check := range map[string]func(string) error{"line": plain.Line, "text": plain.Text} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			text, ok := v.(string)
			if !ok {
				return nil
			}
			return check(text)
		}})
	}
	return &schemas{compiler: c}, text, c.AddResource(documentURL, root)
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
