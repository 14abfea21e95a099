package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/ordersaga/ordersaga/internal/plain"
)

// The formats of text, for the tag format of members and parameters. Package plain defines them.
const (
	formatLine = "line"
	formatText = "text"
)

// formats check values of a format. huma ignores those that it does not know, and is lenient with times.
var formats = map[string]func(string) error{formatLine: plain.Line, formatText: plain.Text, "date-time": plain.Time}

// formatTexts say in the OpenAPI document what a format means.
var formatTexts = map[string]string{
	formatLine: "One line of text: not blank, and without control characters.",
	formatText: "Text without control characters other than line feeds and tabs.",
}

// checkFormats returns the mistakes in a body that huma does not find: text and times that are not of their format, and null
// for a member that may be left out. huma treats such a null as absent, so that a client would get a default that it did not
// ask for.
func (a *API) checkFormats(s *huma.Schema, value any, at string) (wrong []error) {
	if s.Ref != "" {
		s = a.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	switch v := value.(type) {
	case string:
		check, ok := formats[s.Format]
		if !ok || v == "" && s.MinLength != nil { // huma has found that it is too short
			return nil
		}
		if err := check(v); err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: at, Message: err.Error()})
		}
	case []any:
		if s.Items == nil {
			return nil
		}
		for i, item := range v {
			wrong = append(wrong, a.checkFormats(s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		for name, member := range v {
			described, place := s.Properties[name], join(at, name)
			switch {
			case described == nil: // huma has found it
			case member == nil && !slices.Contains(s.Required, name):
				wrong = append(wrong, &huma.ErrorDetail{Location: place, Message: expected[a.typeOf(described)]})
			default:
				wrong = append(wrong, a.checkFormats(described, member, place)...)
			}
		}
	}
	return wrong
}

// aboutTime reports whether an error of huma is one that checkFormats finds as well.
func aboutTime(err error) bool {
	var d *huma.ErrorDetail
	return errors.As(err, &d) && d.Message == validation.MsgExpectedRFC3339DateTime
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func (a *API) typeOf(s *huma.Schema) string {
	if s.Ref != "" {
		s = a.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s.Type
}

// expected are huma's messages for a value of another JSON type, by the type of the schema.
var expected = map[string]string{
	huma.TypeBoolean: validation.MsgExpectedBoolean, huma.TypeNumber: validation.MsgExpectedNumber,
	huma.TypeInteger: validation.MsgExpectedInteger, huma.TypeString: validation.MsgExpectedString,
	huma.TypeArray: validation.MsgExpectedArray, huma.TypeObject: validation.MsgExpectedObject,
}

// wrongType are huma's messages for values whose JSON type is not the schema's.
var wrongType = slices.Collect(maps.Values(expected))
