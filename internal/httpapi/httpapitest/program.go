package httpapitest

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

var write = flag.Bool("write", false, "write the program's OpenAPI document to the committed file")

const header = "# Generated from the handlers' types. To update it, run in this folder: go test -run TestDocument -write\n"

// TestDocument fails if the file of the document differs from the program's document, or if the program rejects the
// requests that the document gives as examples.
func TestDocument(t *testing.T, d *Document, program *huma.OpenAPI, open http.Handler) {
	got, err := program.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got = append([]byte(header), got...)
	if *write {
		if err := os.WriteFile(d.path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-committed +generated); its first line says how to update it:\n%s", d.path, diff)
	}
	examples, err := d.examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range examples {
		w := httptest.NewRecorder()
		open.ServeHTTP(w, r)
		if w.Code == 400 || w.Code == 422 {
			t.Errorf("%s %s: got %d %s for the example in the document", r.Method, r.URL, w.Code, w.Body)
		}
	}
}

// elsewhere are responses of every operation that only the tests of package httpapi see.
var elsewhere = []string{"408 /problems/request-timeout", "500 /problems/internal-error"}

// Main runs the tests of a package and fails if the document describes a response that none of them saw (CheckResponse).
// When only some of the tests run, it checks nothing.
func Main(m *testing.M, d *Document) {
	code := m.Run()
	if code == 0 && allRan() {
		for _, response := range d.unseen() {
			fmt.Fprintf(os.Stderr, "no test sees the documented response %s\n", response)
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

func (d *Document) unseen() []string {
	var missing []string
	for _, op := range d.operations {
		for _, response := range op.documented() {
			if _, ok := d.seen.Load(op.OperationID + " " + response); !ok && !slices.Contains(elsewhere, response) {
				missing = append(missing, fmt.Sprintf("%s %s: %s", op.method, op.path, response))
			}
		}
	}
	slices.Sort(missing)
	return missing
}
