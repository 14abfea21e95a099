// Package problem holds error answers as RFC 9457 describes them (application/problem+json): the wire format that
// servers send and clients read. It imports only the standard library.
//
// A program declares the kinds of problems that it answers as Types and makes one Problem of a Type per answer:
//
//	var outOfStock = problem.Type{Name: "out-of-stock", Status: 400, Title: "Out of stock", Advice: "Order less."}
//
//	return nil, outOfStock.New("there is too little of 2 products").With("shortages", shortages)
//
// Clients tell problems apart by their type, which is the relative reference "/problems/" + Name and never changes; the
// server explains every type under that path. Title and detail are for people and may change.
package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Path is where the types of problems live: a type's URI is Path + its name.
const Path = "/problems/"

// Type is a kind of problem.
type Type struct {
	Name   string // the last part of the type's URI, as in out-of-stock
	Status int    // the HTTP status that it is always answered with
	Title  string // what it is, in a few words
	Advice string // what the client can do about it
}

// URI is the reference that clients compare.
func (t Type) URI() string { return Path + t.Name }

// New returns a problem of this type; detail says what is special about this one, for people.
func (t Type) New(detail string, args ...any) *Problem {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Problem{Type: t.URI(), Title: t.Title, Status: t.Status, Detail: detail}
}

// Problem is one error answer. It is an error, so that handlers return it.
type Problem struct {
	_        struct{} `additionalProperties:"true"` // clients must ignore members that they do not know
	Type     string   `json:"type" example:"/problems/invalid-request" doc:"The kind of problem: a stable URI reference, explained under that path."`
	Title    string   `json:"title" example:"Invalid request" doc:"The kind of problem, in a few words."`
	Status   int      `json:"status" example:"422" doc:"The HTTP status."`
	Detail   string   `json:"detail,omitempty" doc:"What is special about this occurrence, for people."`
	Instance string   `json:"instance,omitempty" doc:"The request's ID (header X-Request-ID): quote it when you ask for help."`
	Errors   []Field  `json:"errors,omitempty" nullable:"false" doc:"What is wrong with the request, field by field."`

	// Extensions are further members, as in orderId. They must not be named like the ones above.
	Extensions map[string]any `json:"-"`
	// Header holds further headers of the answer, as in Retry-After.
	Header http.Header `json:"-"`
}

// Field is one thing that is wrong with a request. Exactly one of Pointer, Parameter and Header says where.
type Field struct {
	_         struct{} `additionalProperties:"true"`
	Detail    string   `json:"detail" doc:"What is wrong." example:"expected number >= 1"`
	Pointer   string   `json:"pointer,omitempty" doc:"Where in the body: a JSON pointer as a URI fragment." example:"#/items/0/quantity"`
	Parameter string   `json:"parameter,omitempty" doc:"Which parameter of the path or the query."`
	Header    string   `json:"header,omitempty" doc:"Which header."`
}

// With adds a further member to the problem, as in With("orderId", id), and returns it.
func (p *Problem) With(name string, value any) *Problem {
	if p.Extensions == nil {
		p.Extensions = map[string]any{}
	}
	p.Extensions[name] = value
	return p
}

// WithHeader sets a header of the answer and returns the problem.
func (p *Problem) WithHeader(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// RetryAfter tells the client when to try again (Retry-After, rounded up to seconds) and returns the problem.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	return p.WithHeader("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

// IsType reports whether the problem is of type t.
func (p *Problem) IsType(t Type) bool { return p.Type == t.URI() }

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

// GetStatus is the HTTP status; huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the further headers of the answer; huma asks for them.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType is the media type of the answer; huma asks for it.
func (p *Problem) ContentType(string) string { return ContentType }

// MarshalJSON writes the members of RFC 9457 first, then the extensions by name.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	var out bytes.Buffer
	if err := encode(&out, (*plain)(p)); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Extensions)) {
		out.Truncate(out.Len() - 1) // the closing brace
		key, _ := json.Marshal(name)
		out.WriteByte(',')
		out.Write(key)
		out.WriteByte(':')
		if err := encode(&out, p.Extensions[name]); err != nil {
			return nil, fmt.Errorf("member %s of a problem: %w", name, err)
		}
		out.WriteByte('}')
	}
	return out.Bytes(), nil
}

// encode writes v without escaping <, > and &, and without the newline that the encoder adds.
func encode(out *bytes.Buffer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1)
	return nil
}

// UnmarshalJSON reads a problem; members that RFC 9457 does not know become Extensions, as json.RawMessage.
func (p *Problem) UnmarshalJSON(data []byte) error {
	type plain Problem
	var known plain
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for _, name := range []string{"type", "title", "status", "detail", "instance", "errors"} {
		delete(all, name)
	}
	for name, raw := range all {
		(*Problem)(&known).With(name, raw)
	}
	*p = Problem(known)
	return nil
}

// Extension reads the member name of a problem that came over the wire into v. It returns false when there is no such
// member or it has another shape.
func (p *Problem) Extension(name string, v any) bool {
	raw, ok := p.Extensions[name].(json.RawMessage)
	return ok && json.Unmarshal(raw, v) == nil
}

// Write answers with the problem, outside of huma.
func (p *Problem) Write(w http.ResponseWriter) {
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client went away: nothing to do about it
}
