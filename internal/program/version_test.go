package program

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTheVersionNamesReleaseCommitAndCompiler(t *testing.T) {
	t.Parallel()
	compiler := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	commit := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "7e21b7d0c0de0123456789"}, {Key: "vcs.time", Value: "2026-11-29T15:00:00Z"},
	}
	modified := append(commit[:2:2], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	tagged := debug.Module{Version: "v0.1.0"}
	for name, test := range map[string]struct {
		release string
		info    debug.BuildInfo
		want    string
	}{
		"a tagged commit": {
			"", debug.BuildInfo{Main: tagged, Settings: commit}, "v0.1.0 (commit 7e21b7d0c0de of 2026-11-29T15:00:00Z, "},
		"uncommitted changes": {
			"", debug.BuildInfo{Main: tagged, Settings: modified},
			"v0.1.0 (commit 7e21b7d0c0de of 2026-11-29T15:00:00Z, modified, "},
		"a release without a repository": {"v0.1.0", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "v0.1.0 ("},
		"neither":                        {"", debug.BuildInfo{}, "(devel) ("},
	} {
		if got := describe(test.release, &test.info); got != test.want+compiler {
			t.Errorf("%s: %q, want %q", name, got, test.want+compiler)
		}
	}
}
