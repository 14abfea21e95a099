package httpapi

import (
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Texts are the descriptions in an API's OpenAPI document. They are kept apart from the types, where as struct tags they
// would fill lines of hundreds of columns.
type Texts struct {
	// Fields describe members, parameters and response headers. A key is "Schema.member" or "operationId.parameter";
	// "*.Header" is a parameter or response header of every operation that has it.
	Fields map[string]string
	// Patterns say in words what a regular expression matches. An error detail reads: expected string to be <text>.
	Patterns map[string]string
}

// Describe adds the texts to the operations that are registered. It panics when a text describes nothing.
func (a *API) Describe(texts Texts) {
	used := map[string]bool{}
	describe := func(owner, name string, target *string) {
		for _, key := range []string{"*." + name, owner + "." + name} {
			if text, ok := texts.Fields[key]; ok {
				*target, used[key] = text, true
			}
		}
	}
	explain := func(s *huma.Schema, target *string) {
		if text, ok := formatTexts[s.Format]; ok {
			*target = strings.TrimSpace(*target + " " + text)
		}
		if text, ok := texts.Patterns[s.Pattern]; ok {
			s.PatternDescription, used[s.Pattern] = text, true
			s.PrecomputeMessages()
		}
	}
	for owner, schema := range a.OpenAPI().Components.Schemas.Map() {
		for name, member := range schema.Properties {
			describe(owner, name, &member.Description)
			explain(member, &member.Description)
			if member.Items != nil {
				explain(member.Items, &member.Items.Description)
			}
		}
	}
	for _, op := range a.operations() {
		for _, p := range op.Parameters {
			describe(op.OperationID, p.Name, &p.Description)
			explain(p.Schema, &p.Description)
		}
		for _, r := range op.Responses {
			for name, header := range r.Headers {
				describe(op.OperationID, name, &header.Description)
			}
		}
	}
	for _, table := range []map[string]string{texts.Fields, texts.Patterns} {
		for key := range table {
			if !used[key] {
				panic(fmt.Sprintf("the text of %s describes nothing", key))
			}
		}
	}
}

func (a *API) operations() []*huma.Operation {
	var all []*huma.Operation
	for _, path := range a.OpenAPI().Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Patch, path.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}
