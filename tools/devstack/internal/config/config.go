// Package config says what a stack looks like: where its data is, on which ports it listens, and which environment
// variables lead programs and tests to it.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Config describes one stack. It is written to the stack's data directory, so that every later command sees the stack as
// it was started.
type Config struct {
	Repo         string            // the checkout with bin/, temporal-config/ and tools/devstack/
	Data         string            // the directory with everything that this stack keeps
	RootFS       string            // the root file system that the services run in; shared, never written to
	Ports        map[string]int    // by the names in Ports
	ServicesOnly bool              // without the project's programs
	ThrowAway    bool              // data need not survive a crash of the machine: fsync is off
	Stopped      []string          // services and programs that somebody stopped by name
	Overrides    map[string]string // DEVSTACK_<PROGRAM>_<VARIABLE>, as given
}

// Programs are the project's programs in the order in which they start.
var Programs = []string{"catalog", "stripesim", "worker", "notifier", "api"}

// Options are what the command line says.
type Options struct {
	Data         string // "" is .devstack in the checkout
	ServicesOnly bool
}

// Load makes the configuration of a stack from the command line and the environment, and reports all mistakes at once.
func Load(o Options, environ []string) (Config, error) {
	getenv := lookup(environ)
	repo, repoErr := findRepo()
	ports, portsErr := portsFrom(getenv)
	data := o.Data
	if data == "" {
		data = getenv("DEVSTACK_DATA")
	}
	if data == "" {
		data = filepath.Join(repo, ".devstack")
	}
	data, dataErr := filepath.Abs(data)
	c := Config{Repo: repo, Data: data, Ports: ports, ServicesOnly: o.ServicesOnly, Overrides: overrides(environ)}
	return c, errors.Join(repoErr, portsErr, dataErr)
}

// CacheDir is where root file systems are kept for all stacks of this user.
func CacheDir(getenv func(string) string) string {
	if dir := getenv("DEVSTACK_CACHE"); dir != "" {
		return dir
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "ordersaga")
	}
	return "/var/cache/ordersaga"
}

// findRepo returns the checkout that this binary was built into, or else the current directory if that is one.
func findRepo() (string, error) {
	candidates := []string{}
	if exe, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Dir(filepath.Dir(exe)))
	}
	if wd, err := os.Getwd(); err == nil {
		candidates = append(candidates, wd)
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "temporal-config", "server.yaml")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no checkout of the project (with temporal-config/server.yaml) at any of %s", strings.Join(candidates, ", "))
}

// Address is host:port of one of the stack's ports.
func (c Config) Address(port string) string { return "127.0.0.1:" + strconv.Itoa(c.Ports[port]) }

// Bin is the path of one of the project's programs.
func (c Config) Bin(program string) string { return filepath.Join(c.Repo, "bin", program) }

// LogFile is where a service or program writes what it has to say.
func (c Config) LogFile(service string) string { return filepath.Join(c.Data, "log", service+".log") }

// StatusFile is where the supervisor says how its services are.
func (c Config) StatusFile() string { return filepath.Join(c.Data, "status.json") }

// LockFile is locked as long as a supervisor lives.
func (c Config) LockFile() string { return filepath.Join(c.Data, "lock") }

// File is where the configuration of the running, or last run, stack is kept.
func (c Config) File() string { return filepath.Join(c.Data, "config.json") }

// lookup is os.Getenv for a list of "KEY=value" strings.
func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, e := range environ {
			if key, value, _ := strings.Cut(e, "="); key == name {
				return value
			}
		}
		return ""
	}
}
