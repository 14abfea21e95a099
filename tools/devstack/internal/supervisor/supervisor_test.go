package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shell is a service that runs a shell script. The script creates the file <name>.ready in dir when it is ready, and writes its
// starts and stops to the file history.
func shell(dir, name, script string, after ...string) Service {
	return Service{
		Name: name, After: after,
		Command: func(ctx context.Context) (*exec.Cmd, error) {
			_ = os.Remove(filepath.Join(dir, name+".ready")) // of the last start
			cmd := exec.CommandContext(ctx, "sh", "-c", script)
			cmd.Dir = dir
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			return cmd, nil
		},
		Ready: func(context.Context) error {
			_, err := os.Stat(filepath.Join(dir, name+".ready"))
			return err
		},
		StartTimeout: 10 * time.Second, Stop: syscall.SIGTERM, StopTimeout: 5 * time.Second,
	}
}

// works is the script of a service that starts, and stops on a signal.
func works(name string) string {
	return fmt.Sprintf(`trap 'echo stop %[1]s >>history; exit 0' TERM
		echo start %[1]s >>history; touch %[1]s.ready; while :; do sleep 0.02; done`, name)
}

type stack struct {
	t      *testing.T
	dir    string
	wanted chan []Service // what the next reload finds
	reload chan os.Signal
	ended  chan error
	stop   context.CancelFunc
}

func start(t *testing.T, dir string, services ...Service) *stack {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stack{
		t: t, dir: dir, wanted: make(chan []Service, 1), reload: make(chan os.Signal), ended: make(chan error, 1), stop: cancel,
	}
	s.wanted <- services
	wanted := func() ([]Service, error) { return <-s.wanted, nil }
	logFile := func(name string) string { return filepath.Join(dir, name+".log") }
	sup := New(filepath.Join(dir, "status.json"), logFile, slog.New(slog.DiscardHandler))
	var running sync.WaitGroup
	running.Go(func() { s.ended <- sup.Run(ctx, wanted, s.reload) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// follow makes the supervisor run other services.
func (s *stack) follow(services ...Service) {
	s.wanted <- services
	s.reload <- syscall.SIGHUP
}

func (s *stack) waitUp() {
	s.t.Helper()
	s.eventually("everything is up", func(_ map[string]ServiceStatus, status Status) bool { return status.Up })
}

func (s *stack) waitEnd() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("not ended within 20 s")
		return nil
	}
}

// eventually waits until the status satisfies ok.
func (s *stack) eventually(what string, ok func(map[string]ServiceStatus, Status) bool) {
	s.t.Helper()
	var last Status
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		status, err := ReadStatus(filepath.Join(s.dir, "status.json"))
		if err != nil {
			continue
		}
		last = status
		byName := map[string]ServiceStatus{}
		for _, service := range status.Services {
			byName[service.Name] = service
		}
		if ok(byName, status) {
			return
		}
	}
	s.t.Fatalf("after 20 s it is still not true that %s; last status: %+v", what, last)
}

func (s *stack) history() string {
	content, _ := os.ReadFile(filepath.Join(s.dir, "history"))
	return strings.Join(strings.Split(strings.TrimSpace(string(content)), "\n"), ", ")
}

func TestServicesStartAfterThoseTheyNeedAndStopBeforeThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir,
		shell(dir, "store", works("store")), shell(dir, "engine", works("engine"), "store"),
		shell(dir, "api", works("api"), "store", "engine"))
	s.waitUp()
	s.stop()
	if err := s.waitEnd(); err != nil {
		t.Errorf("stopping gave %v", err)
	}
	want := "start store, start engine, start api, stop api, stop engine, stop store"
	if got := s.history(); got != want {
		t.Errorf("history\n got: %s\nwant: %s", got, want)
	}
}

func TestAServiceThatDiesIsRestarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, shell(dir, "api", works("api")))
	s.waitUp()
	var before int
	s.eventually("ready", func(services map[string]ServiceStatus, _ Status) bool {
		before = services["api"].PID
		return services["api"].State == Ready
	})
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.eventually("ready again, as another process", func(services map[string]ServiceStatus, _ Status) bool {
		api := services["api"]
		return api.State == Ready && api.PID != before && api.Restarts == 1
	})
}

func TestAServiceThatDoesNotStartIsNamedAndAllAreStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, shell(dir, "store", works("store")), shell(dir, "engine", "echo no schema; exit 3", "store"),
		shell(dir, "api", works("api"), "engine"))
	err := s.waitEnd()
	var failed *FailedService
	if !errors.As(err, &failed) || failed.Name != "engine" || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("want the failure of engine with exit status 3, got: %v", err)
	}
	if got, want := s.history(), "start store, stop store"; got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	if log, _ := os.ReadFile(filepath.Join(dir, "engine.log")); string(log) != "no schema\n" {
		t.Errorf("its log holds %q", log)
	}
}

func TestAServiceThatIsNotReadyInTimeIsKilledWithItsGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stubborn := shell(dir, "stubborn", `trap '' TERM; while :; do sleep 0.02; done`)
	stubborn.StartTimeout, stubborn.StopTimeout = 300*time.Millisecond, 300*time.Millisecond
	s := start(t, dir, stubborn)
	if err := s.waitEnd(); err == nil || !strings.Contains(err.Error(), "not ready within 300ms") {
		t.Errorf("want: not ready within 300ms; got: %v", err)
	}
}

func TestAReloadStartsNewAndRestartsChangedServices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, api := shell(dir, "store", works("store")), shell(dir, "api", works("api"), "store")
	demo := shell(dir, "demo", works("demo"))
	s := start(t, dir, store, api)
	s.waitUp()
	s.follow(store, api)
	s.eventually("a reload of the same is done", func(_ map[string]ServiceStatus, status Status) bool { return status.Loads == 2 })
	if got, want := s.history(), "start store, start api"; got != want {
		t.Errorf("history %q after a reload without changes, want %q", got, want)
	}
	api.Version = "2"
	s.follow(store, api, demo)
	s.eventually("the reload is done", func(services map[string]ServiceStatus, status Status) bool {
		return status.Loads == 3 && status.Problem == "" && services["demo"].State == Ready && services["api"].State == Ready
	})
	if got := s.history(); strings.Count(got, "start store") != 1 || strings.Count(got, "start api") != 2 {
		t.Errorf("want store started once and api twice, got: %s", got)
	}
}

func TestAReloadThatFailsLeavesTheRestRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := shell(dir, "store", works("store"))
	s := start(t, dir, store)
	s.waitUp()

	s.follow(store, shell(dir, "api", "exit 2", "store"), shell(dir, "page", works("page"), "api"))

	s.eventually("the problem is told", func(services map[string]ServiceStatus, status Status) bool {
		return status.Loads == 2 && strings.HasPrefix(status.Problem, "api did not come up") &&
			services["store"].State == Ready && services["api"].State == Stopped && services["page"].State == Stopped
	})
	s.follow(store, shell(dir, "api", works("api"), "store"), shell(dir, "page", works("page"), "api"))
	s.eventually("the next reload starts them", func(services map[string]ServiceStatus, status Status) bool {
		return status.Loads == 3 && status.Problem == "" && services["page"].State == Ready
	})
}

func TestAReloadStopsServicesThatAreNoLongerWanted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, api := shell(dir, "store", works("store")), shell(dir, "api", works("api"), "store")
	s := start(t, dir, store, api)
	s.waitUp()

	s.follow(api)
	s.eventually("the store is stopped, and the api goes on", func(services map[string]ServiceStatus, status Status) bool {
		return status.Loads == 2 && services["store"].State == Stopped && services["api"].State == Ready
	})
	s.follow(store, api)
	s.eventually("the store runs again", func(services map[string]ServiceStatus, status Status) bool {
		return status.Loads == 3 && services["store"].State == Ready && services["api"].State == Ready
	})
	if got, want := s.history(), "start store, start api, stop store, start store"; got != want {
		t.Errorf("history %q, want %q", got, want)
	}
}
