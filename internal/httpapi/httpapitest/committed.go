package httpapitest

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

var write = flag.Bool("write", false, "write the OpenAPI document anew")

const header = "# Generated from the handlers' types. After a change of them, in this folder: go test -run Committed -write\n"

// Committed fails when the document in a file, from which clients are generated, is not the one of the program. Its header
// says how to write it anew.
func Committed(t *testing.T, path string, program *huma.OpenAPI) {
	t.Helper()
	got, err := program.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got = append([]byte(header), got...)
	if *write {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-committed +generated); its first line says how to write it anew:\n%s", path, diff)
	}
}
