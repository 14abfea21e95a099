package services

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// needs lists the services that must be ready before a program starts, and that stop after it.
var needs = map[string][]string{
	"catalog":   {"ferretdb"},
	"stripesim": {"postgres"},
	"worker":    {"postgres", "rabbitmq", "temporal", "catalog", "stripesim"},
	"notifier":  {"postgres", "rabbitmq"},
	"api":       {"postgres", "temporal", "worker"},
}

// ports are the ports of the programs' readiness probes.
var ports = map[string]string{
	"catalog": config.Catalog, "stripesim": config.StripeSim, "worker": config.Worker, "notifier": config.Notifier,
	"api": config.API,
}

// program runs as the user who started the stack, outside the root file system.
func (s *Stack) program(name string) (supervisor.Service, error) {
	address, env := s.Address(ports[name]), slices.Concat(inherited(), s.ProgramEnvironment(name))
	version, err := version(s.Bin(name), env)
	if err != nil {
		return supervisor.Service{}, fmt.Errorf("bin/%s: %w: run `make build`", name, err)
	}
	return supervisor.Service{
		Name: name, Address: address, After: needs[name], Version: version,
		Command: func(ctx context.Context) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, s.Bin(name))
			cmd.Dir, cmd.Env, cmd.SysProcAttr = s.Repo, env, &syscall.SysProcAttr{Setpgid: true}
			return cmd, nil
		},
		Ready: func(ctx context.Context) error { return get(ctx, "http://"+address+"/readyz") },
	}, nil
}

// version changes when a program is built with other content, or is to run in another environment. The file's time says
// nothing: every build sets it.
func version(file string, env []string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%q", env)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// inherited returns the variables of devstack's own environment that programs also get.
func inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LOG_LEVEL", "GOMAXPROCS", "GOTRACEBACK",
		"OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
