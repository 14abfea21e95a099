// Package config describes a stack: its data directory, its ports, and the environment variables that lead programs and tests
// to it.
package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// Load returns the configuration that the environment asks for, with the default data directory. The error names every mistake.
func Load(environ []string) (Config, error) {
	repo, repoErr := findRepo()
	chosen, overrides, err := variables(environ)
	ports, portsErr := portsFrom(chosen)
	c := Config{Repo: repo, Data: filepath.Join(repo, ".devstack"), Ports: ports, Overrides: overrides}
	return c, errors.Join(repoErr, err, portsErr)
}

// Apply gives the programs that start their DEVSTACK_<PROGRAM>_<VARIABLE> in the environment. The error names every other
// variable with which the running stack would have to start differently.
func (c *Config) Apply(environ []string, starting ...string) error {
	chosen, overrides, err := variables(environ)
	problems := []error{err}
	unused := func(variable string) {
		problems = append(problems, fmt.Errorf("%s has no effect here: the stack runs with another value; use `devstack up`", variable))
	}
	for _, p := range Ports {
		if value := chosen[p.Variable()]; value != "" && value != strconv.Itoa(c.Ports[p.Name]) {
			unused(p.Variable())
		}
	}
	applied := map[string]string{}
	maps.Copy(applied, c.Overrides)
	for name, value := range overrides {
		if slices.ContainsFunc(starting, func(program string) bool { return strings.HasPrefix(name, overridePrefix(program)) }) {
			applied[name] = value
		} else if was, ok := c.Overrides[name]; !ok || was != value {
			unused(name)
		}
	}
	c.Overrides = applied
	return errors.Join(problems...)
}

// variables returns devstack's variables in the environment: those that choose ports and those that override a program's. The
// error names every one that devstack does not know, apart from those that hold directories and the Debian mirror.
func variables(environ []string) (ports, overrides map[string]string, err error) {
	ports, overrides = map[string]string{}, map[string]string{}
	var problems []error
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		isOverride := func(program string) bool {
			return len(name) > len(overridePrefix(program)) && strings.HasPrefix(name, overridePrefix(program))
		}
		switch {
		case !strings.HasPrefix(name, "DEVSTACK_"):
		case name == "DEVSTACK_DATA", name == "DEVSTACK_CACHE", name == "DEVSTACK_DEBIAN_MIRROR":
		case slices.ContainsFunc(Ports, func(p Port) bool { return p.Variable() == name }):
			ports[name] = value
		case slices.ContainsFunc(Programs, isOverride):
			overrides[name] = value
		default:
			problems = append(problems, fmt.Errorf("%s: devstack has no such variable; devstack --help lists them", name))
		}
	}
	return ports, overrides, errors.Join(problems...)
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
	exe, exeErr := os.Executable()
	wd, wdErr := os.Getwd()
	for _, dir := range []string{filepath.Dir(filepath.Dir(exe)), wd} {
		if _, err := os.Stat(filepath.Join(dir, "temporal-config", "server.yaml")); err == nil {
			return dir, nil
		}
	}
	none := fmt.Errorf("no checkout of the project (with temporal-config/server.yaml) around %s or at %s", exe, wd)
	return "", errors.Join(none, exeErr, wdErr)
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
