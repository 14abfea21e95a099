package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may be nested; no body of ours needs more than a few.
const maxDepth = 32

// decode reads a JSON body strictly. huma calls it twice: first for the plain tree that it validates against the
// schema, where everything that encoding/json is lenient about is refused, then for the operation's own type.
func decode(data []byte, v any) error {
	tree, ok := v.(*any)
	if !ok {
		return decodeInto(data, v)
	}
	p := newParser(data)
	value, err := p.document(data)
	*tree = value
	return err
}

// decodeInto reads a body that has passed its schema into v. What can still go wrong is a number that the Go type
// cannot hold: too large, or whole but written like 1e3.
func decodeInto(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		p := newParser(data)
		p.wanted = mismatch.Offset
		_, _ = p.value("#", 0) // it could be read before
		if strings.HasPrefix(mismatch.Value, "number") {
			return decodeError{p.found, "expected a whole number within range, in plain digits"}
		}
		return decodeError{p.found, "is of the wrong type"}
	default:
		return decodeError{"#", "is invalid"}
	}
}

// decodeError says that a body cannot be read, and where. huma keeps only the text of errors, so all of it is in there,
// for cutDecodeError to find.
type decodeError struct{ pointer, message string }

const decodeMark = "\x00cannot be read\x00"

func (e decodeError) Error() string { return decodeMark + e.pointer + "\x00" + e.message }

func cutDecodeError(text string) (pointer, message string, ok bool) {
	rest, ok := strings.CutPrefix(text, decodeMark)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "\x00")
}

// parser builds the tree of a JSON document token by token, because only so are members seen that are given twice.
type parser struct {
	dec *json.Decoder

	// With wanted set, found becomes the pointer to the first simple value that ends at or after that offset.
	wanted int64
	found  string
}

func newParser(data []byte) *parser {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return &parser{dec: dec, found: "#"}
}

// document reads the one value that data must be.
func (p *parser) document(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, decodeError{"#", "is not UTF-8"}
	}
	v, err := p.value("#", 0)
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, decodeError{"#", fmt.Sprintf("has more data after the JSON value, at byte %d", p.dec.InputOffset())}
	}
	return v, nil
}

func (p *parser) value(at string, depth int) (any, error) {
	token, err := p.dec.Token()
	if err != nil {
		return nil, p.syntaxError(err)
	}
	if depth > maxDepth {
		return nil, decodeError{"#", fmt.Sprintf("is nested deeper than %d levels", maxDepth)}
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(at, depth)
		}
		return p.array(at, depth)
	case json.Number:
		p.visit(at)
		return number(at, t)
	default:
		p.visit(at)
		return t, nil
	}
}

func (p *parser) visit(at string) {
	if p.wanted > 0 && p.dec.InputOffset() >= p.wanted {
		p.found, p.wanted = at, 0
	}
}

func (p *parser) object(at string, depth int) (any, error) {
	members := map[string]any{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, p.syntaxError(err)
		}
		name := token.(string) // the decoder accepts nothing else here
		here := at + "/" + escapeFragment(name)
		if _, twice := members[hide(name)]; twice {
			return nil, decodeError{here, "is given twice"}
		}
		if members[hide(name)], err = p.value(here, depth+1); err != nil {
			return nil, err
		}
	}
	return members, p.end()
}

func (p *parser) array(at string, depth int) (any, error) {
	elements := []any{}
	for p.dec.More() {
		v, err := p.value(at+"/"+strconv.Itoa(len(elements)), depth+1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, v)
	}
	return elements, p.end()
}

// end reads the closing bracket.
func (p *parser) end() error {
	if _, err := p.dec.Token(); err != nil {
		return p.syntaxError(err)
	}
	return nil
}

func (p *parser) syntaxError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return decodeError{"#", "is not JSON: it ends too early"}
	}
	return decodeError{"#", fmt.Sprintf("is not JSON: unexpected character near byte %d", p.dec.InputOffset())}
}

// number keeps whole numbers exact; huma compares all numbers as float64.
func number(at string, n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, decodeError{at, "number out of range"}
	}
	return f, nil
}

// huma writes places as body.a[0].b and takes them apart at dots and brackets. Names of members that hold such
// characters (none of ours do) are hidden from it in characters of Unicode's private use area.
var (
	hidden   = strings.NewReplacer(".", "\ue000", "[", "\ue001", "]", "\ue002")
	unhidden = strings.NewReplacer("\ue000", ".", "\ue001", "[", "\ue002", "]")
)

func hide(name string) string   { return hidden.Replace(name) }
func unhide(name string) string { return unhidden.Replace(name) }

// escapeFragment writes a member's name as a part of a JSON pointer in a URI fragment (RFC 6901, section 6).
func escapeFragment(name string) string {
	return (&url.URL{Fragment: pointerEscapes.Replace(name)}).EscapedFragment()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
