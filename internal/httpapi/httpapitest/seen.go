package httpapitest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Main runs the tests of a package and fails when the document describes an answer that none of them saw (CheckAnswer),
// unless it is one of those that are tested elsewhere: "500", or "408 /problems/request-timeout", of whatever operation.
// Where only some tests run, nothing is asked of them.
func Main(m *testing.M, d *Document, elsewhere ...string) {
	code := m.Run()
	if code == 0 && allRan() {
		for _, answer := range d.unseen(elsewhere) {
			fmt.Fprintf(os.Stderr, "no test sees the documented answer %s\n", answer)
			code = 1
		}
	}
	os.Exit(code)
}

func allRan() bool {
	return !slices.ContainsFunc([]string{"test.run", "test.skip", "test.fuzz", "test.list"}, func(name string) bool {
		return flag.Lookup(name).Value.String() != ""
	})
}

func (d *Document) unseen(elsewhere []string) []string {
	var missing []string
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, answer := range documentedAnswers(op) {
				if _, ok := d.seen.Load(answerOf(op, answer)); !ok && !slices.Contains(elsewhere, answer) {
					missing = append(missing, fmt.Sprintf("%s %s: %s", method, path, answer))
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

func answerOf(op *openapi3.Operation, answer string) string { return op.OperationID + " " + answer }

// documentedAnswers are what an operation may answer: "201", and for problems the status with each type, as in
// "404 /problems/order-not-found".
func documentedAnswers(op *openapi3.Operation) []string {
	var answers []string
	for status, response := range op.Responses.Map() {
		types := problemTypes(response.Value)
		if len(types) == 0 {
			answers = append(answers, status)
		}
		for _, kind := range types {
			answers = append(answers, status+" "+kind)
		}
	}
	return answers
}

var problemType = regexp.MustCompile("`(/problems/[a-z-]+)`")

// problemTypes are those that a response's description names.
func problemTypes(r *openapi3.Response) []string {
	var types []string
	for _, match := range problemType.FindAllStringSubmatch(*r.Description, -1) {
		types = append(types, match[1])
	}
	return types
}

// note remembers an answer. A problem of a type that is not described for it is an error.
func (d *Document) note(op *openapi3.Operation, status int, body []byte) error {
	answer := strconv.Itoa(status)
	if types := problemTypes(op.Responses.Status(status).Value); len(types) > 0 {
		var problem struct{ Type string }
		if err := json.Unmarshal(body, &problem); err != nil || !slices.Contains(types, problem.Type) {
			return fmt.Errorf("status %d with type %q: described are %s", status, problem.Type, strings.Join(types, ", "))
		}
		answer += " " + problem.Type
	}
	d.seen.Store(answerOf(op, answer), true)
	return nil
}
