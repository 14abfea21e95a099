// Package services describes the parts of a stack: PostgreSQL, RabbitMQ, FerretDB, Temporal with its Web UI, and the project's
// programs. For each it says how to start it, how to tell that it works, and how to stop it.
package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// Stack describes the services of one stack. They run in root.
type Stack struct {
	config.Config
	root *contain.Root
}

// The stack's directories inside the root file system. See Dirs.
const (
	postgresDir = "/srv/postgres"
	rabbitDir   = "/srv/rabbitmq"
	ferretDir   = "/srv/ferretdb"
	setupDir    = "/srv/setup"
)

// The users of the services. Those of PostgreSQL and RabbitMQ come with their packages.
const (
	postgresUser = "postgres"
	rabbitUser   = "rabbitmq"
	nobody       = "nobody"
)

// Dirs are the directories of the host that the services of a stack need.
func Dirs(c config.Config) []contain.Dir {
	return []contain.Dir{
		{Name: filepath.Base(postgresDir), Host: filepath.Join(c.Data, "postgres"), Owner: postgresUser},
		{Name: filepath.Base(rabbitDir), Host: filepath.Join(c.Data, "rabbitmq"), Owner: rabbitUser},
		{Name: filepath.Base(ferretDir), Host: filepath.Join(c.Data, "ferretdb"), Owner: nobody},
		{Name: filepath.Base(setupDir), Host: setupHost(c), ReadOnly: true},
	}
}

func setupHost(c config.Config) string { return filepath.Join(c.Data, "setup") }

// setupFiles are the files of the checkout that services read. Docker Compose uses the same files.
var setupFiles = []string{
	"tools/devstack/postgres-init.sql", "tools/devstack/postgres-documentdb.sql", "tools/devstack/rabbitmq-definitions.json",
	"temporal-config/server.yaml", "temporal-config/dynamicconfig.yaml",
}

// CopySetup copies the setup files to where the services can read them: their users may not be able to enter the checkout.
func CopySetup(c config.Config) error {
	if err := os.MkdirAll(setupHost(c), 0o755); err != nil {
		return err
	}
	for _, name := range setupFiles {
		content, err := os.ReadFile(filepath.Join(c.Repo, name))
		if err != nil {
			return err
		}
		copied := filepath.Join(setupHost(c), filepath.Base(name))
		if err := errors.Join(os.WriteFile(copied, content, 0o644), os.Chmod(copied, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// New returns the services of the stack that c describes.
func New(c config.Config, root *contain.Root) *Stack { return &Stack{Config: c, root: root} }

// Wanted returns the services to run. Each comes after those that it needs.
func (s *Stack) Wanted() ([]supervisor.Service, error) {
	all := []supervisor.Service{s.postgres(), s.rabbitmq(), s.ferretdb(), s.temporal(), s.webUI()}
	for _, name := range config.Programs {
		if s.ServicesOnly {
			break
		}
		program, err := s.program(name)
		if err != nil {
			return nil, err
		}
		all = append(all, program)
	}
	return slices.DeleteFunc(all, func(service supervisor.Service) bool { return slices.Contains(s.Stopped, service.Name) }), nil
}

// path is the PATH of services.
const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// inRoot returns a command that runs in the root file system as user, with no other environment than env.
func (s *Stack) inRoot(ctx context.Context, user, program string, args, env []string) (*exec.Cmd, error) {
	attr, err := s.root.SysProcAttr(user)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.SysProcAttr = "/", attr
	cmd.Env = append([]string{path, "LC_ALL=C.UTF-8", "HOME=/tmp"}, env...)
	return cmd, nil
}

// The embedded services collect garbage less often than Go does by default, which saves a tenth of the Temporal server's CPU
// time. The price is memory, so they collect more often when they use more than the limit.
const (
	garbage     = "GOGC=400"
	memoryLimit = "GOMEMLIMIT=400MiB"
)

// The services that are Go modules, and therefore compiled into devstack. Only package engine imports their modules:
// everything else compiles and is tested in seconds.
const (
	FerretDB = "ferretdb"
	Temporal = "temporal"
	WebUI    = "temporal-ui"
)

// EngineCommand is the hidden command that runs one of them in a process of its own. It finds its settings in the environment,
// where other users cannot read them.
const EngineCommand = "run-service"

// embedded returns a command that runs one of the services that are compiled into devstack.
func (s *Stack) embedded(name string, settings ...string) func(context.Context) (*exec.Cmd, error) {
	return func(ctx context.Context) (*exec.Cmd, error) {
		env := append([]string{"TZ=UTC", garbage, memoryLimit}, settings...)
		return s.inRoot(ctx, nobody, contain.Self, []string{EngineCommand, name}, env)
	}
}

// accepts returns nil when a port of the stack accepts connections.
func (s *Stack) accepts(ctx context.Context, port string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.Address(port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// get returns nil when a GET of url returns 200.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", req.URL.Redacted(), res.Status)
	}
	return errors.Join(err, res.Body.Close())
}
