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
	if testing.Short() {
		t.Skip("compiles the public packages' dependencies once more; skipped by -short")
	}
	t.Parallel()
	proxy := t.TempDir()
	publish(t, proxy, module, "../..")
	publish(t, proxy, module+"/saga", "../../saga")
	publish(t, proxy, module+"/saga/participant", "../../saga/participant")

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/outside")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), outsideMod(t))
	cached := filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", os.DevNull, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=file://"+proxy+",file://"+cached+",off", "GOSUMDB=off", "GONOSUMDB=", "GONOPROXY=none",
		"GOMODCACHE="+t.TempDir(), "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// outsideMod returns the go.mod of the module outside. Like a tidy one, it names all that ours require: so the go command
// reads no go.mod of theirs, which the module cache may not hold.
func outsideMod(t *testing.T) string {
	t.Helper()
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ours := "module " + module + "\n"
	if !strings.HasPrefix(string(gomod), ours) {
		t.Fatalf("go.mod does not begin with %q", ours)
	}
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(string(gomod), ours)) {
		if !strings.HasPrefix(line, "replace ") {
			lines = append(lines, line)
		}
	}
	return "module example.com/outside\n\nrequire " + module + " " + release + "\n" + strings.Join(lines, "")
}

// publish adds the module in a directory to the proxy, as the go command wants it: its go.mod, and a zip of its files
// without those of the modules below it.
func publish(t *testing.T, proxy, path, dir string) {
	t.Helper()
	versions := filepath.Join(proxy, path, "@v")
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
