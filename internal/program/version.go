package program

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// version is the release, set by `go build -ldflags "-X …/internal/program.version=v0.1.0"` where the source has no
// repository beside it, for example in a container build. Otherwise Go itself stamps it from the repository's tags.
var version string

// Version names the build of the running program: its release, the commit with its time, and the compiler. For example
// v0.1.0 (commit 7e21b7d0c0de of 2026-11-29T15:00:00Z, go1.26.8 linux/amd64).
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(version, info)
}

// build is what telemetry says about the running program.
func build(name string) telemetry.Build {
	b := telemetry.Build{Program: name, Release: cmp.Or(version, "(devel)")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Release = cmp.Or(version, info.Main.Version, b.Release)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}

func describe(release string, info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := ""
	if revision := settings["vcs.revision"]; revision != "" {
		commit = fmt.Sprintf("commit %.12s of %s, ", revision, settings["vcs.time"])
	}
	if settings["vcs.modified"] == "true" {
		commit += "modified, "
	}
	return fmt.Sprintf("%s (%s%s %s/%s)",
		cmp.Or(release, info.Main.Version, "(devel)"), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
