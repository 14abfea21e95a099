package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// programs holds the built programs; TestMain fills it.
var programs string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

// buildAndRun builds the programs with the race detector: a race in a program fails its test.
func buildAndRun(m *testing.M) int {
	if flag.Parse(); testing.Short() {
		return m.Run() // all tests skip themselves
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	// In the product's own module, so that this module needs none of its requirements.
	build := exec.Command("go", "build", "-C", "..", "-race", "-o", dir+"/",
		"./cmd/api", "./cmd/worker", "./cmd/orders", "./cmd/catalog", "./cmd/notifier", "./cmd/stripesim")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is one program of the system, which can be killed and started again.
type process struct {
	t    *testing.T
	name string
	addr string // of its HTTP server
	env  []string
	logs logtest.Buffer

	cmd  *exec.Cmd
	done chan struct{}
}

// newProcess does not start the program yet. When the test ends, the program is stopped; when it failed, its logs are shown.
func newProcess(t *testing.T, name, addr string, env ...string) *process {
	p := &process{t: t, name: name, addr: addr, env: env}
	t.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		text := p.logs.String()
		if _, race, found := strings.Cut(text, "WARNING: DATA RACE"); found {
			t.Errorf("%s has a data race:\n%.8000s", name, race)
		}
		noSecrets(t, "the log of "+name, []byte(text))
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, tail(text, 40))
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(filepath.Join(programs, p.name))
	p.cmd.Env = append(p.env, "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	p.cmd.Stdout, p.cmd.Stderr = &p.logs, &p.logs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the tests
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	p.done = make(chan struct{})
	go func() { defer close(p.done); _ = p.cmd.Wait() }()
}

// ready waits until the program's readiness probe succeeds.
func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, p.name+" is ready", func(ctx context.Context) bool {
		select {
		case <-p.done:
			p.t.Fatalf("%s ended: %s\n%s", p.name, p.cmd.ProcessState, tail(p.logs.String(), 20))
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/readyz", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	})
}

// stop sends a signal and waits until the program is gone.
func (p *process) stop(s syscall.Signal) {
	if p.cmd == nil || p.done == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("%s did not stop on %s within 40 s", p.name, s)
	}
	p.done = nil
}

// kill sends SIGKILL: the program cannot clean up.
func (p *process) kill() { p.stop(syscall.SIGKILL) }

// tail returns the last n lines, without those caused by the tests' polling.
func tail(text string, n int) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), func(line string) bool {
		return strings.Contains(line, `"method":"GET"`) || strings.Contains(line, `"msg":"not ready"`)
	})
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// patience bounds every wait of the tests. It is generous: a loaded machine must not fail them.
const patience = 90 * time.Second

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	servicestest.Eventually(t, patience, what, func() bool { return condition(ctx) })
}
