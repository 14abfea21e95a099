package lawtest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ordersaga/ordersaga"

// law is law.txt.
type law struct {
	groups map[string][]string
	allows map[string][]string // package to what it may import
}

// readLaw reads law.txt and puts the packages of a group in the place of its name.
func readLaw(t *testing.T) law {
	t.Helper()
	text, err := os.ReadFile("law.txt")
	if err != nil {
		t.Fatal(err)
	}
	l := law{map[string][]string{}, map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) > 1 && fields[1] == "=":
			l.groups[fields[0]] = fields[2:]
		case strings.HasSuffix(fields[0], ":"):
			name := strings.TrimSuffix(fields[0], ":")
			if l.allows[name] != nil {
				t.Errorf("law.txt has two lines for %s", name)
			}
			for _, f := range fields[1:] {
				if group, ok := l.groups[f]; ok {
					l.allows[name] = append(l.allows[name], group...)
				} else {
					l.allows[name] = append(l.allows[name], f)
				}
			}
		default:
			t.Errorf("law.txt: what is %q?", line)
		}
	}
	return l
}

// temporalSDK is the part of the SDK that calls the server. Workflows, activities and workers use its other packages.
const temporalSDK = "go.temporal.io/sdk/client"

func TestImportsKeepTheLaw(t *testing.T) {
	t.Parallel()
	l := readLaw(t)
	for _, p := range list(t, module+"/...") {
		if p.Module.Path != module {
			continue // nested modules name what they require in their own go.mod
		}
		for _, imported := range p.Imports {
			other, isOurs := ours(imported)
			if isOurs && !slices.Contains(l.allows[p.name()], other) {
				t.Errorf("%s imports %s, which law.txt does not allow", p.name(), other)
			}
			if !isOurs && slices.Contains(l.groups["domain"], p.name()) && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: the domain imports only the standard library", p.name(), imported)
			}
			if imported == temporalSDK && p.name() != "internal/temporalclient" {
				t.Errorf("%s imports %s: internal/temporalclient is the only door to Temporal", p.name(), imported)
			}
		}
	}
}

func TestTheLawNamesOnlyPackagesThatExist(t *testing.T) {
	t.Parallel()
	l := readLaw(t)
	var exist []string
	for _, p := range list(t, module+"/...") {
		exist = append(exist, p.name())
	}
	for _, table := range []map[string][]string{l.groups, l.allows} {
		for name, packages := range table {
			if _, isGroup := l.groups[name]; !isGroup {
				packages = append(packages, name)
			}
			for _, p := range packages {
				if !slices.Contains(exist, p) {
					t.Errorf("law.txt names %s, which does not exist", p)
				}
			}
		}
	}
}

// testOnly are packages for tests. (Temporal's SDK links its own test suite into every program, and with it testing.)
var testOnly = []string{
	"testing", "net/http/httptest", "github.com/google/go-cmp", "github.com/stretchr/testify", "go.uber.org/goleak",
	"pgregory.net/rapid", "github.com/anishathalye/porcupine", "github.com/getkin/kin-openapi", "github.com/emersion/go-smtp",
}

func TestNoProgramLinksTestSupport(t *testing.T) {
	t.Parallel()
	programs := 0
	for _, p := range list(t, "-deps", "./../../cmd/...") {
		name, isOurs := ours(p.ImportPath)
		if !isOurs {
			continue
		}
		if strings.HasPrefix(name, "cmd/") {
			programs++
		}
		if strings.HasSuffix(name, "test") {
			t.Errorf("a program links %s, which is test support", name)
		}
		for _, imported := range p.Imports {
			if slices.ContainsFunc(testOnly, func(lib string) bool { return imported == lib || strings.HasPrefix(imported, lib+"/") }) {
				t.Errorf("%s is part of a program and imports %s, which is for tests", name, imported)
			}
		}
	}
	if programs < 7 {
		t.Errorf("found only %d programs under cmd/", programs)
	}
}

func TestTestSupportIsNamedSo(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, module+"/...") {
		if slices.Contains(p.Imports, "testing") && !strings.HasSuffix(path.Base(p.name()), "test") {
			t.Errorf("%s imports testing, but its name does not end in test", p.name())
		}
	}
}

// pkg is a package as `go list` describes it, tests left out.
type pkg struct {
	ImportPath string
	Module     struct{ Path string }
	Export     string // the compiler's export data, with -export
	Imports    []string
}

// name is the path within the module.
func (p pkg) name() string {
	name, _ := ours(p.ImportPath)
	return name
}

// ours returns the path within the module, and whether the package is in it.
func ours(importPath string) (string, bool) { return strings.CutPrefix(importPath, module+"/") }

// list runs `go list`.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Module,Export,Imports"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
