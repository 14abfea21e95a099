package apitest

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

var write = flag.Bool("write", false, "write the OpenAPI document anew")

// Committed fails when the document in a file, from which clients are generated, is not the one of the program. When it
// changes on purpose: go test ./api -run Description -write
func Committed(t *testing.T, path string, program *huma.OpenAPI) {
	t.Helper()
	got, err := program.YAML()
	if err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("%s (-committed +generated):\n%s", path, diff)
	}
}
