package lawtest

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// release is the version that the working tree is published as.
const release = "v0.1.0"

// A module elsewhere requires ours by their paths and compiles. The go command gets them from a proxy in a directory, made
// of the working tree, and all other modules from the module cache: nothing is downloaded.
func TestTheModulesCanBeImportedFromOutside(t *testing.T) {
	t.Parallel()
	o := newOutside(t, module)
	o.publish(module+"/saga", "../../saga")
	o.publish(module+"/saga/participant", "../../saga/participant")
	o.run("build", "-o", os.DevNull, ".")
}

// A module that requires only the saga library tests its examples.
func TestTheSagaLibrarysExamplesPassFromOutside(t *testing.T) {
	t.Parallel()
	o := newOutside(t, module+"/saga")
	out := o.run("test", "-short", module+"/saga/examples/...")
	if passed := strings.Count(out, "ok  \t"); passed < 3 {
		t.Errorf("%d of three examples were tested:\n%s", passed, out)
	}
}

// outside is the module outside and its proxy.
type outside struct {
	t          *testing.T
	dir, proxy string
}

// newOutside returns a module that requires one of ours.
func newOutside(t *testing.T, path string) outside {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles the public packages' dependencies once more; skipped by -short")
	}
	o := outside{t, t.TempDir(), t.TempDir()}
	source := "../.." + strings.TrimPrefix(path, module)
	o.publish(path, source)
	if path == module {
		if err := os.CopyFS(o.dir, os.DirFS("testdata/outside")); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(o.dir, "go.mod"), outsideMod(t, path, source))
	return o
}

// run runs the go command in the module outside and returns its output.
func (o outside) run(command string, args ...string) string {
	o.t.Helper()
	cached := filepath.Join(goEnv(o.t, "GOMODCACHE"), "cache", "download")
	cmd := exec.CommandContext(o.t.Context(), "go", append([]string{command, "-trimpath"}, args...)...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "GOPROXY=file://"+o.proxy+",file://"+cached+",off", "GOSUMDB=off", "GONOSUMDB=", "GONOPROXY=none",
		"GOMODCACHE="+o.t.TempDir(), "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Errorf("go %s: %v:\n%s", command, err, out)
	}
	return string(out)
}

// outsideMod returns the go.mod of the module outside. Like a tidy one, it names all that ours requires: so the go command
// reads no go.mod of theirs, which the module cache may not hold.
func outsideMod(t *testing.T, path, source string) string {
	t.Helper()
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	ours := "module " + path + "\n"
	if !strings.HasPrefix(string(gomod), ours) {
		t.Fatalf("go.mod does not begin with %q", ours)
	}
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(string(gomod), ours)) {
		if !strings.HasPrefix(line, "replace ") {
			lines = append(lines, line)
		}
	}
	return "module example.com/outside\n\nrequire " + path + " " + release + "\n" + strings.Join(lines, "")
}

// publish adds the module in a directory to the proxy, as the go command wants it: its go.mod, and a zip of its files
// without those of the modules below it.
func (o outside) publish(path, dir string) {
	t := o.t
	t.Helper()
	versions := filepath.Join(o.proxy, path, "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(versions, release+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(archive)
	for _, name := range moduleFiles(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(path + "@" + release + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(versions, release+".mod"), string(gomod))
	writeFile(t, filepath.Join(versions, release+".info"), `{"Version": "`+release+`"}`)
}

// moduleFiles lists the module's files: the tracked ones, and the new ones that git does not ignore.
func moduleFiles(t *testing.T, dir string) []string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	git.Dir = dir
	out, err := git.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := strings.Split(strings.Trim(string(out), "\x00"), "\x00")
	files = slices.DeleteFunc(files, func(name string) bool { // a deleted file stays in the index until the commit
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	})
	var nested []string
	for _, name := range files {
		if sub, isMod := strings.CutSuffix(name, "/go.mod"); isMod {
			nested = append(nested, sub+"/")
		}
	}
	return slices.DeleteFunc(files, func(name string) bool {
		return slices.ContainsFunc(nested, func(sub string) bool { return strings.HasPrefix(name, sub) })
	})
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}
