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

// needs says what must be ready before a program starts, and is stopped only after it.
var needs = map[string][]string{
	"catalog":   {"ferretdb"},
	"stripesim": {"postgres"},
	"worker":    {"postgres", "rabbitmq", "temporal", "catalog", "stripesim"},
	"notifier":  {"postgres", "rabbitmq"},
	"api":       {"postgres", "temporal", "worker"},
}

// ports are the ports on which programs answer /readyz.
var ports = map[string]string{
	"catalog": config.Catalog, "stripesim": config.StripeSim, "worker": config.Worker, "notifier": config.Notifier,
	"api": config.API,
}

func (s *Stack) program(name string) supervisor.Service {
	address := s.Address(ports[name])
	return supervisor.Service{
		Name: name, Address: address, After: needs[name], Binary: s.Bin(name),
		Command:     func() (*exec.Cmd, error) { return s.programCommand(name) },
		Ready:       func(ctx context.Context) error { return get(ctx, "http://"+address+"/readyz") },
		StartWithin: 60 * time.Second,
		Stop:        syscall.SIGTERM,
		StopWithin:  40 * time.Second, // it drains: requests are answered, running activities finish
	}
}

// programCommand runs a program as the user who started the stack and outside the root file system: it is what he or
// she is working on.
func (s *Stack) programCommand(name string) (*exec.Cmd, error) {
	if _, err := os.Stat(s.Bin(name)); err != nil {
		return nil, fmt.Errorf("bin/%s is missing: `make build` makes it", name)
	}
	cmd := exec.Command(s.Bin(name))
	cmd.Dir = s.Repo
	cmd.Env = slices.Concat(inherited(), s.ProgramEnvironment(name))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// inherited are the variables of devstack's own environment that programs get as well.
func inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LOG_LEVEL", "GOMAXPROCS", "GOTRACEBACK"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
