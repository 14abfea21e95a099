package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ordersaga/internal/auth/authtest"
)

var write = flag.Bool("write", false, "write openapi.yaml anew")

// openapi.yaml is what clients are generated from. When it changes on purpose: go test ./catalog -run Description -write
func TestDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	got, err := newAPI(nil, nil, options{who: authenticator(t, authtest.Config)}).OpenAPI().YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *write {
		if err := os.WriteFile("openapi.yaml", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("openapi.yaml (-committed +generated):\n%s", diff)
	}
}
