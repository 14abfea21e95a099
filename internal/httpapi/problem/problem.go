// Package problem is the wire format of error responses of RFC 9457 (application/problem+json), as servers write it.
//
// A program declares the Types of its problems, and makes a Problem of a Type for each error response:
//
//	var outOfStock = problem.Type{Name: "out-of-stock", Status: 400, Title: "Out of stock", Advice: "Order less."}
//
//	return nil, outOfStock.New("2 products are out of stock").With("shortages", shortages)
//
// Clients tell problems apart by their type, the relative reference "/problems/" + Name, which never changes. The server
// explains every type at that path. Title and detail are for people and may change.
package problem

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Path is the path of the types' explanations: a type's URI is Path + its name.
const Path = "/problems/"

// Type is a kind of problem.
type Type struct {
	Name   string // the last part of the type's URI, for example out-of-stock
	Status int    // the HTTP status of every problem of this type
	Title  string // what it is, in a few words
	Advice string // what the client can do
}

// URI is the reference that clients compare.
func (t Type) URI() string { return Path + t.Name }

// New returns a problem of this type. The detail explains this occurrence to people.
func (t Type) New(detail string, args ...any) *Problem {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Problem{Type: t.URI(), Title: t.Title, Status: t.Status, Detail: detail}
}

// Problem is an error response. It implements error, so that handlers can return it.
type Problem struct {
	_        struct{} `additionalProperties:"true"` // clients must ignore members that they do not know
	Type     string   `json:"type" example:"/problems/invalid-request" doc:"A stable reference to the type's explanation."`
	Title    string   `json:"title" example:"Invalid request" doc:"The type of problem in a few words."`
	Status   int      `json:"status" example:"422" doc:"The HTTP status."`
	Detail   string   `json:"detail,omitempty" doc:"An explanation of this occurrence, for people."`
	Instance string   `json:"instance,omitempty" doc:"The request's ID (X-Request-ID). Quote it when you ask for help."`
	Errors   []Field  `json:"errors,omitempty" nullable:"false" doc:"The mistakes in the request."`

	// Extensions are further members, for example orderId. Their names must differ from those above.
	Extensions map[string]any `json:"-"`
	// Header holds further headers of the response, for example Retry-After.
	Header http.Header `json:"-"`
}

// Field is one mistake in a request. Exactly one of Pointer, Parameter and Header says where it is.
type Field struct {
	_         struct{} `additionalProperties:"true"`
	Detail    string   `json:"detail" doc:"What is wrong." example:"expected number >= 1"`
	Pointer   string   `json:"pointer,omitempty" example:"#/items/0/quantity" doc:"A JSON pointer into the body, as a URI fragment."`
	Parameter string   `json:"parameter,omitempty" doc:"The parameter in the path or the query."`
	Header    string   `json:"header,omitempty" doc:"The header."`
}

// With adds a member to the problem, for example With("orderId", id), and returns the problem.
func (p *Problem) With(name string, value any) *Problem {
	if p.Extensions == nil {
		p.Extensions = map[string]any{}
	}
	p.Extensions[name] = value
	return p
}

// WithHeader sets a header of the response and returns the problem.
func (p *Problem) WithHeader(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// RetryAfter sets the header Retry-After, rounded up to seconds, and returns the problem.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	return p.WithHeader("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

// GetStatus returns the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the further headers of the response, for huma.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType returns the media type of the response, for huma.
func (p *Problem) ContentType(string) string { return ContentType }

// MarshalJSON writes the members of RFC 9457 first, then the extensions by name. A detail may quote what a client sent, so
// invalid UTF-8 is replaced.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	return json.Marshal(struct {
		Plain      plain          `json:",inline"`
		Extensions map[string]any `json:",inline"`
	}{plain(*p), p.Extensions}, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}

// Write writes the problem as a response, outside of huma.
func (p *Problem) Write(w http.ResponseWriter) {
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_ = json.MarshalWrite(w, p) // it fails only if the client went away
}
