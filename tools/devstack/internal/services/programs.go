package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

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

func (s *Stack) program(name string) supervisor.Service {
	address := s.Address(ports[name])
	return supervisor.Service{
		Name: name, Address: address, After: needs[name], Binary: s.Bin(name),
		Command:      func() (*exec.Cmd, error) { return s.programCommand(name) },
		Ready:        func(ctx context.Context) error { return get(ctx, "http://"+address+"/readyz") },
		StartTimeout: 60 * time.Second,
		Stop:         syscall.SIGTERM,
		StopTimeout:  40 * time.Second, // it drains: requests and running activities finish
	}
}

// programCommand runs a program as the user who started the stack, outside the root file system.
func (s *Stack) programCommand(name string) (*exec.Cmd, error) {
	if _, err := os.Stat(s.Bin(name)); err != nil {
		return nil, fmt.Errorf("bin/%s is missing: run `make build`", name)
	}
	cmd := exec.Command(s.Bin(name))
	cmd.Dir = s.Repo
	cmd.Env = slices.Concat(inherited(), s.ProgramEnvironment(name))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// inherited returns the variables of devstack's own environment that programs also get.
func inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LOG_LEVEL", "GOMAXPROCS", "GOTRACEBACK"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
