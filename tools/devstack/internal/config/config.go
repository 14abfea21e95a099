// Package config describes a stack: its data directory, its ports, and the environment variables that lead programs and tests
// to it.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Config describes one stack. It is written to the stack's data directory, so that later commands see the stack as it was
// started.
type Config struct {
	Repo         string            // the checkout with bin/, temporal-config/ and tools/devstack/
	Data         string            // the directory with the stack's data, logs and state
	RootFS       string            // the root file system of the services; shared and read-only
	Ports        map[string]int    // by the names in Ports
	ServicesOnly bool              // without the project's programs
	ThrowAway    bool              // fsync is off: a crash of the machine may break the data
	Stopped      []string          // services and programs that were stopped by name
	Overrides    map[string]string // DEVSTACK_<PROGRAM>_<VARIABLE>, as given
}

// Programs are the project's programs in the order in which they start.
var Programs = []string{"catalog", "stripesim", "worker", "notifier", "api"}

// Options are what the command line says.
type Options struct {
	Data         string // empty: .devstack in the checkout
	ServicesOnly bool
}

// Load reads the configuration of a stack from the command line and the environment, and reports all mistakes at once.
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

// CacheDir is the directory of the root file systems, which all stacks of the user share.
func CacheDir(getenv func(string) string) string {
	if dir := getenv("DEVSTACK_CACHE"); dir != "" {
		return dir
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "ordersaga")
	}
	return "/var/cache/ordersaga"
}

// findRepo returns the checkout whose bin/ holds this binary, or else the current directory if that is a checkout.
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

// LogFile is the log of a service or program.
func (c Config) LogFile(service string) string { return filepath.Join(c.Data, "log", service+".log") }

// StatusFile is where the supervisor writes the state of its services.
func (c Config) StatusFile() string { return filepath.Join(c.Data, "status.json") }

// LockFile is locked while a supervisor lives.
func (c Config) LockFile() string { return filepath.Join(c.Data, "lock") }

// File is the configuration of the running or last run stack.
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
