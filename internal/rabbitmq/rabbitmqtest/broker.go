// Package rabbitmqtest starts a RabbitMQ for one test, which may stop, kill, starve and restart it without disturbing other
// tests. The broker runs in the root file system of the services that `make test` starts, but in its own namespaces. When the
// test ends, even if it is killed, the broker ends and every mount is undone.
package rabbitmqtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/porttest"
)

// Root is the environment variable with the path of the root file system that contains RabbitMQ.
const Root = "TEST_RABBITMQ_ROOT"

// startTimeout is generous, because on a busy machine everything starts at the same time.
const startTimeout = 90 * time.Second

// Broker is a RabbitMQ server. It belongs to one goroutine.
type Broker struct {
	URL string // with the name and password of its administrator, on the virtual host /

	t       testing.TB
	root    string
	data    string
	environ []string
	address string
	server  *exec.Cmd
	ended   <-chan error // receives the server's exit, once
	log     *logtest.Buffer
}

// Start starts a broker, which ends with the test. Under -short it skips the test; without a root file system it fails it.
func Start(t testing.TB) *Broker {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a RabbitMQ; skipped by -short")
	}
	root := os.Getenv(Root)
	if root == "" {
		t.Fatalf("%s is not set: run the tests with `make test`, which says where RabbitMQ is installed, or with -short", Root)
	}
	b := &Broker{t: t, root: root, data: t.TempDir(), log: &logtest.Buffer{}}
	if err := os.Chmod(b.data, 0o777); err != nil { // RabbitMQ runs as another user
		t.Fatal(err)
	}
	b.address = porttest.FreeAddress(t)
	b.URL = "amqp://guest:guest@" + b.address + "/"
	b.environ = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/srv/rabbitmq",
		"RABBITMQ_NODENAME=rabbit@localhost",
		"RABBITMQ_MNESIA_BASE=/srv/rabbitmq/mnesia", "RABBITMQ_LOG_BASE=/srv/rabbitmq/log",
		"RABBITMQ_CONFIG_FILE=/srv/rabbitmq/rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE=/srv/rabbitmq/enabled_plugins",
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(porttest.Free(t)),
		"ERL_EPMD_PORT=" + strconv.Itoa(porttest.Free(t)), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_LOG=-color",
		"RUNNING_UNDER_SYSTEMD=true", // the Erlang VM replaces the shell, so it gets the signals
	}
	b.write("rabbitmq.conf", "listeners.tcp.1 = "+b.address+"\nlog.console = true\nlog.file = false\n")
	b.write("enabled_plugins", "[].\n")
	t.Cleanup(func() {
		b.Kill()
		if t.Failed() {
			t.Logf("the end of the broker's log:\n%s", b.logTail())
		}
	})
	b.Start()
	return b
}

func (b *Broker) write(name, content string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.data, name), []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// attempts is how many times a start is tried. On a busy machine Erlang's name server, which every start launches, is
// sometimes not ready in time.
const attempts = 3

// Start restarts a broker that was stopped or killed, with its data, and waits until it accepts connections.
func (b *Broker) Start() {
	b.t.Helper()
	var err error
	for range attempts {
		if err = b.start(); err == nil {
			return
		}
		b.Kill()
	}
	b.t.Fatalf("RabbitMQ did not start: %v\n%s", err, b.logTail())
}

func (b *Broker) start() error {
	b.server = b.command(context.Background(), "/usr/lib/rabbitmq/bin/rabbitmq-server")
	b.server.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID // its child processes end with it
	b.server.Stdout, b.server.Stderr = b.log, b.log
	if err := b.server.Start(); err != nil {
		b.server = nil
		return err
	}
	ended := make(chan error, 1)
	b.ended = ended
	go func(server *exec.Cmd) { ended <- server.Wait() }(b.server)
	for deadline := time.Now().Add(startTimeout); ; {
		conn, err := net.Dial("tcp", b.address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", startTimeout, err)
		}
		select {
		case err := <-ended:
			b.server = nil
			return fmt.Errorf("it ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop shuts the broker down in order.
func (b *Broker) Stop() {
	b.t.Helper()
	b.end(syscall.SIGTERM)
}

// Kill ends the broker immediately, like a power cut.
func (b *Broker) Kill() { b.end(syscall.SIGKILL) }

func (b *Broker) end(signal syscall.Signal) {
	if b.server == nil {
		return
	}
	_ = b.server.Process.Signal(signal)
	hangUp := time.AfterFunc(startTimeout, func() { _ = b.server.Process.Kill() })
	<-b.ended // by a signal
	hangUp.Stop()
	b.server = nil
}

// Control runs rabbitmqctl on the broker.
func (b *Broker) Control(arguments ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if out, err := b.command(ctx, "/usr/lib/rabbitmq/bin/rabbitmqctl", arguments...).CombinedOutput(); err != nil {
		b.t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

// enter mounts what RabbitMQ's programs need into the root file system, invisible to all other processes, and becomes the
// program as the user rabbitmq.
const enter = `set -e
root=$1 data=$2
shift 2
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for dir in tmp run srv; do mount -t tmpfs -o mode=1777 tmpfs "$root/$dir"; done
mkdir "$root/srv/rabbitmq"
mount --bind "$data" "$root/srv/rabbitmq"
exec chroot --userspec=rabbitmq:rabbitmq "$root" "$@"`

func (b *Broker) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", enter, "enter", b.root, b.data, program}, arguments...)...)
	cmd.Env, cmd.Dir = b.environ, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// logTail returns the end of the broker's log.
func (b *Broker) logTail() string {
	all := b.log.String()
	return all[max(0, len(all)-4000):]
}
