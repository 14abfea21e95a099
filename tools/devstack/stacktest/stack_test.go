package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// stack is a test's own stack, with its ports and data directory.
type stack struct {
	t       *testing.T
	data    string
	config  config.Config // its ports
	environ []string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a whole stack; skipped by -short")
	}
	if _, err := os.Stat(devstack(t)); err != nil {
		t.Fatalf("%v: run `make bin/devstack`", err)
	}
	ports, err := config.FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, data: filepath.Join(t.TempDir(), "stack"), config: config.Config{Ports: ports}, environ: os.Environ()}
	for _, p := range config.Ports {
		s.environ = append(s.environ, fmt.Sprintf("%s=%d", p.Variable(), ports[p.Name]))
	}
	t.Cleanup(func() { _, _ = s.try("clean") })
	return s
}

func devstack(t *testing.T) string {
	path, err := filepath.Abs("../../../bin/devstack")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// try runs a devstack command on the stack and returns its output.
func (s *stack) try(command string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, devstack(s.t), append([]string{command, "--data", s.data}, args...)...)
	cmd.Env = s.environ
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (s *stack) run(command string, args ...string) string {
	s.t.Helper()
	output, err := s.try(command, args...)
	if err != nil {
		s.t.Fatalf("devstack %s: %v\n%s", command, err, output)
	}
	return output
}

// services returns the output of `devstack status --json` by service.
func (s *stack) services() map[string]service {
	s.t.Helper()
	var status struct{ Services []service }
	if err := json.Unmarshal([]byte(s.run("status", "--json")), &status); err != nil {
		s.t.Fatal(err)
	}
	all := map[string]service{}
	for _, service := range status.Services {
		all[service.Name] = service
	}
	return all
}

type service struct {
	Name     string
	State    string
	HostPID  int
	Restarts int
}

func (s *stack) supervisor() int {
	s.t.Helper()
	var pid int
	content, err := os.ReadFile(filepath.Join(s.data, "lock"))
	if err == nil {
		_, err = fmt.Sscan(string(content), &pid)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// processes lists the host's processes with text in their command line or environment.
func processes(text string) []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if dir == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		commandLine, _ := os.ReadFile(dir + "/cmdline")
		environment, _ := os.ReadFile(dir + "/environ")
		if bytes.Contains(commandLine, []byte(text)) || bytes.Contains(environment, []byte(text)) {
			found = append(found, dir+" "+strings.ReplaceAll(string(commandLine), "\x00", " "))
		}
	}
	return found
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("after a minute it is still not true that %s", what)
}

func (s *stack) query(statement string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.config.DatabaseURL("orders", "orders"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var result string
	err = conn.QueryRow(ctx, statement).Scan(&result)
	return result, err
}

// portsInUse returns the names of the stack's ports with a listener.
func (s *stack) portsInUse() []string {
	var used []string
	for _, p := range config.Ports {
		if l, err := net.Listen("tcp", s.config.Address(p.Name)); err != nil {
			used = append(used, p.Name)
		} else {
			l.Close()
		}
	}
	return used
}

func TestAStackSurvivesEverythingButClean(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.run("up", "--services-only")
	if _, err := s.query("WITH t AS (SELECT 1) SELECT 'x' FROM t"); err != nil {
		t.Fatalf("the role orders cannot work on its database: %v", err)
	}
	s.execute("CREATE TABLE kept (word text)")
	s.execute("INSERT INTO kept VALUES ('hello')")
	s.searchAttributesAreUsable()
	if output := s.run("up", "--services-only"); !strings.Contains(output, "is already up") || strings.Contains(output, "ready at") {
		t.Errorf("up a second time said:\n%s", output)
	}

	t.Log("kill -9 of a service: it is started again")
	before := s.services()["ferretdb"]
	kill(t, before.HostPID)
	eventually(t, "ferretdb is ready again", func() bool {
		now := s.services()["ferretdb"]
		return now.State == "ready" && now.Restarts == 1 && now.HostPID != before.HostPID
	})

	t.Log("kill -9 of the supervisor: nothing is left")
	kill(t, s.supervisor())
	// The stack's ports, which are in its processes' environments and command lines, belong to no other stack.
	eventually(t, "its processes are gone", func() bool { return len(processes(s.data)) == 0 && len(s.portsInUse()) == 0 })
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(mounts, []byte("rootfs-")) || bytes.Contains(mounts, []byte(s.data)) {
		t.Errorf("mounts are left (%v):\n%s", err, mounts)
	}

	t.Log("up again: the data is there")
	s.run("up", "--services-only")
	if word, err := s.query("SELECT word FROM kept"); err != nil || word != "hello" {
		t.Errorf("after the crash: %q, %v", word, err)
	}
	s.run("down")
	if used := s.portsInUse(); len(used) > 0 {
		t.Errorf("after down these ports are in use: %v", used)
	}
	s.run("clean")
	if _, err := os.Stat(s.data); !os.IsNotExist(err) {
		t.Errorf("after clean the data directory still exists: %v", err)
	}
}

func (s *stack) execute(statement string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.config.DatabaseURL("orders", "orders"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if pid == 0 {
		t.Fatal("no process")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// searchAttributesAreUsable starts a workflow that sets each of them; the server rejects unknown ones.
func (s *stack) searchAttributesAreUsable() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(s.config.Address(config.Temporal), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fields := map[string]*commonpb.Payload{}
	for _, name := range []string{"SagaStatus", "SagaStep", "SagaError"} {
		fields[name] = &commonpb.Payload{
			Metadata: map[string][]byte{"encoding": []byte("json/plain"), "type": []byte("Keyword")}, Data: []byte(`"x"`),
		}
	}
	temporal := workflowservice.NewWorkflowServiceClient(conn)
	_, err = temporal.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: "search-attributes", RequestId: "1",
		WorkflowType:     &commonpb.WorkflowType{Name: "None"},
		TaskQueue:        &taskqueuepb.TaskQueue{Name: "none"},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
	})
	if err != nil {
		s.t.Errorf("start a workflow with search attributes: %v", err)
	}
}

func TestAPortInUseIsNamedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	taken, err := net.Listen("tcp", s.config.Address(config.RabbitMQ))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	output, err := s.try("up", "--services-only")
	if err == nil || !strings.Contains(output, "DEVSTACK_PORT_RABBITMQ") {
		t.Errorf("want the variable in the error (%v):\n%s", err, output)
	}
	if _, err := os.Stat(filepath.Join(s.data, "postgres")); !os.IsNotExist(err) {
		t.Errorf("a service was started: %v", err)
	}
}

func TestAServiceThatDoesNotComeUpIsNamedWithTheEndOfItsLog(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	postgres := filepath.Join(s.data, "postgres")
	if err := os.MkdirAll(filepath.Join(postgres, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(postgres, "initialised"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	output, err := s.try("up", "--services-only")
	for _, part := range []string{"postgres did not come up", "the end of", "/srv/postgres/data", "everything is stopped again"} {
		if err == nil || !strings.Contains(output, part) {
			t.Errorf("want %q in the output (%v):\n%s", part, err, output)
		}
	}
	if left := processes(s.data); len(left) > 0 || len(s.portsInUse()) > 0 {
		t.Errorf("left running: %q; ports in use: %v", left, s.portsInUse())
	}
}
