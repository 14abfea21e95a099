package config

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func defaults(t *testing.T) Config {
	t.Helper()
	ports, err := portsFrom(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Repo: "/repo", Data: "/repo/.devstack", Ports: ports}
}

func TestPortsComeFromTheEnvironment(t *testing.T) {
	ports, err := portsFrom(map[string]string{"DEVSTACK_PORT_API": "9090"})
	if err != nil {
		t.Fatal(err)
	}
	if ports[API] != 9090 || ports[Postgres] != 15432 {
		t.Errorf("api %d, want 9090; postgres %d, want 15432", ports[API], ports[Postgres])
	}
}

func TestEveryWrongPortIsNamedAtOnce(t *testing.T) {
	_, err := portsFrom(map[string]string{
		"DEVSTACK_PORT_API": "many", "DEVSTACK_PORT_CATALOG": "70000", "DEVSTACK_PORT_WORKER": "15432",
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := `DEVSTACK_PORT_API=many: not a port number (1 to 65535)
DEVSTACK_PORT_CATALOG=70000: not a port number (1 to 65535)
DEVSTACK_PORT_WORKER and DEVSTACK_PORT_POSTGRES are both 15432`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestAPortInUseIsNamedWithItsVariable(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := Config{}
	if c.Ports, err = FreePorts(); err != nil {
		t.Fatal(err)
	}
	c.Ports[Catalog] = taken.Addr().(*net.TCPAddr).Port

	err = c.CheckPortsFree(true, true)
	if err == nil || !strings.Contains(err.Error(), "DEVSTACK_PORT_CATALOG") {
		t.Errorf("want an error that names DEVSTACK_PORT_CATALOG, got: %v", err)
	}
	if err := c.CheckPortsFree(true, false); err != nil {
		t.Errorf("got: %v; without programs their ports do not matter", err)
	}
}

func TestFreePortsAreFreeAndAllDifferent(t *testing.T) {
	ports, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	for _, p := range Ports {
		n := ports[p.Name]
		if used[n] || portFree(n) != nil {
			t.Errorf("%s: port %d is used twice or not free", p.Name, n)
		}
		used[n] = true
	}
}

func TestTheWorkersEnvironment(t *testing.T) {
	want := []string{
		"CATALOG_URL=http://127.0.0.1:4002",
		"DATABASE_URL=postgres://orders:orders@127.0.0.1:15432/orders?sslmode=disable",
		"RABBITMQ_URL=amqp://orders:orders@127.0.0.1:15673/",
		"STRIPE_API_KEY=sk_test_devstack",
		"STRIPE_API_URL=http://127.0.0.1:12111",
		"TASK_QUEUE=orders",
		"TEMPORAL_ADDRESS=127.0.0.1:7233",
		"TEMPORAL_NAMESPACE=default",
		"WORKER_ADDR=127.0.0.1:4003",
	}
	if diff := cmp.Diff(want, defaults(t).ProgramEnvironment("worker")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestTheAPIMayOnlyReadTheDatabase(t *testing.T) {
	want := "DATABASE_URL=postgres://orders_api:orders_api@127.0.0.1:15432/orders?sslmode=disable"
	if env := defaults(t).ProgramEnvironment("api"); !strings.Contains(strings.Join(env, "\n"), want) {
		t.Errorf("want %s in %q", want, env)
	}
}

func TestAVariableOfAProgramCanBeSet(t *testing.T) {
	c := defaults(t)
	var err error
	_, c.Overrides, err = variables([]string{
		"DEVSTACK_NOTIFIER_RABBITMQ_URL=amqp://elsewhere/", "DEVSTACK_NOTIFIER_LOG_LEVEL=DEBUG",
		"DEVSTACK_API_AUTH_MODE=jwt", "RABBITMQ_URL=amqp://of-something-else/", "DEVSTACK_DATA=/data",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"LOG_LEVEL=DEBUG",
		"NOTIFIER_ADDR=127.0.0.1:4004",
		"NOTIFIER_DATABASE_URL=postgres://notifier:notifier@127.0.0.1:15432/notifier?sslmode=disable",
		"RABBITMQ_URL=amqp://elsewhere/",
	}
	if diff := cmp.Diff(want, c.ProgramEnvironment("notifier")); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestEveryProgramHasAnEnvironment(t *testing.T) {
	for _, program := range Programs {
		if len(defaults(t).ProgramEnvironment(program)) == 0 {
			t.Errorf("%s has no environment", program)
		}
	}
}

func TestEveryUnknownVariableIsNamed(t *testing.T) {
	_, _, err := variables([]string{"DEVSTACK_PORT_APY=1", "DEVSTACK_WORKR_LOG_LEVEL=DEBUG", "DEVSTACK_API_=1", "DEVSTACK_CACHE=/c"})
	for _, name := range []string{"DEVSTACK_PORT_APY", "DEVSTACK_WORKR_LOG_LEVEL", "DEVSTACK_API_"} {
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("want an error that names %s, got: %v", name, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "DEVSTACK_CACHE") {
		t.Errorf("DEVSTACK_CACHE is a variable of devstack: %v", err)
	}
}

func TestOnlyProgramsThatStartGetNewVariables(t *testing.T) {
	running := func() Config {
		c := defaults(t)
		c.Overrides = map[string]string{"DEVSTACK_API_LOG_LEVEL": "DEBUG", "DEVSTACK_WORKER_LOG_LEVEL": "INFO"}
		return c
	}
	c := running()
	err := c.Apply([]string{"DEVSTACK_WORKER_LOG_LEVEL=DEBUG", "DEVSTACK_API_LOG_LEVEL=DEBUG", "DEVSTACK_PORT_API=8080"}, "worker")
	want := map[string]string{"DEVSTACK_API_LOG_LEVEL": "DEBUG", "DEVSTACK_WORKER_LOG_LEVEL": "DEBUG"}
	if diff := cmp.Diff(want, c.Overrides); err != nil || diff != "" {
		t.Errorf("%v; overrides (-want +got):\n%s", err, diff)
	}
	for _, useless := range []string{"DEVSTACK_API_LOG_LEVEL=INFO", "DEVSTACK_API_AUTH_MODE=", "DEVSTACK_PORT_API=8081"} {
		c := running()
		name, _, _ := strings.Cut(useless, "=")
		if err := c.Apply([]string{useless}, "worker", "postgres"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: want an error that names it, got: %v", useless, err)
		}
	}
}
