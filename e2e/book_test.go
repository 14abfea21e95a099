package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// books are the documents with tested commands, each with the test file that runs them.
var books = map[string]string{
	"../docs/runbook.md":   "runbook_long_test.go",
	"../docs/deploying.md": "deploying_long_test.go",
}

// block is a piece of shell in a book, which begins with ```sh run=NAME.
var (
	block    = regexp.MustCompile("(?ms)^```sh run=([a-z-]+)\n(.*?)^```$")
	anyBlock = regexp.MustCompile("(?m)^```[a-z]")
)

// readBook returns the blocks of a book by name.
func readBook(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := block.FindAllStringSubmatch(string(text), -1)
	if all := anyBlock.FindAll(text, -1); len(all) != len(found) || len(found) == 0 {
		t.Errorf("%s: %d of %d blocks can be run: each must begin with ```sh run=NAME", path, len(found), len(all))
	}
	blocks := map[string]string{}
	for _, b := range found {
		if _, twice := blocks[b[1]]; twice {
			t.Errorf("%s: two blocks have the name %s", path, b[1])
		}
		blocks[b[1]] = b[2]
	}
	return blocks
}

// TestEveryCommandOfTheBooksIsShellAndRunByATest is the cheap half. The tests with the tag long run the commands.
func TestEveryCommandOfTheBooksIsShellAndRunByATest(t *testing.T) {
	t.Parallel()
	for path, tester := range books {
		source, err := os.ReadFile(tester)
		if err != nil {
			t.Fatal(err)
		}
		for name, script := range readBook(t, path) {
			if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", script).CombinedOutput(); err != nil {
				t.Errorf("%s: %s is not valid shell: %v\n%s", filepath.Base(path), name, err, out)
			}
			if !regexp.MustCompile(`\.(run|try|eventually)\("` + name + `"`).Match(source) {
				t.Errorf("%s: nothing in %s runs %s", filepath.Base(path), tester, name)
			}
		}
	}
}
