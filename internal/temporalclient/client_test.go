package temporalclient_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

func TestAWrongConfigurationIsNamedByItsVariable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config temporalclient.Config
		want   string // "" for a right one
	}{
		"nothing set":          {temporalclient.Config{}, ""},
		"only an address":      {temporalclient.Config{Address: "temporal:7233"}, ""},
		"Temporal Cloud":       {temporalclient.Config{Address: "ns.acct.tmprl.cloud:7233", Namespace: "ns.acct", APIKey: "key"}, ""},
		"address without port": {temporalclient.Config{Address: "temporal"}, "TEMPORAL_ADDRESS"},
		"missing certificate":  {temporalclient.Config{TLSCert: "/nothing/cert.pem", TLSKey: "/nothing/key.pem"}, "TEMPORAL_"},
		"missing profile":      {temporalclient.Config{ConfigFile: "/nothing/temporal.toml", Profile: "cloud"}, "TEMPORAL_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.config.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestVariablesGoBeforeTheProfile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte("[profile.mine]\naddress = \"elsewhere:1\"\nnamespace = \"theirs\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := temporalclient.Config{ConfigFile: file, Profile: "mine"}
	if got := c.NamespaceName(); got != "theirs" {
		t.Errorf("got namespace %q of the profile, want theirs", got)
	}
	c.Namespace = "ours"
	if got := c.NamespaceName(); got != "ours" {
		t.Errorf("got namespace %q, want that of the variable", got)
	}
	if got := (temporalclient.Config{}).NamespaceName(); got != "default" {
		t.Errorf("got namespace %q, want default", got)
	}
}

// server is as much of Temporal as a start needs.
type server struct {
	workflowservice.UnimplementedWorkflowServiceServer
	answer func() (*workflowservice.StartWorkflowExecutionResponse, error)
}

func (s *server) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (s *server) StartWorkflowExecution(context.Context, *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return s.answer()
}

func TestTraceTellsWhatBecameOfAStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer        func() (*workflowservice.StartWorkflowExecutionResponse, error) // nil: no server
		sent, started bool
	}{
		"started": {func() (*workflowservice.StartWorkflowExecutionResponse, error) {
			return &workflowservice.StartWorkflowExecutionResponse{RunId: "r", Started: true}, nil
		}, true, true},
		"was running already": {func() (*workflowservice.StartWorkflowExecutionResponse, error) {
			return &workflowservice.StartWorkflowExecutionResponse{RunId: "r"}, nil
		}, true, false},
		"the answer is lost": {func() (*workflowservice.StartWorkflowExecutionResponse, error) {
			return nil, status.Error(codes.Unavailable, "going down")
		}, true, false},
		"no server": {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, test.answer)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ctx, trace := temporalclient.WithTrace(ctx)
			_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "w", TaskQueue: "q"}, "CreateOrder")
			if trace.Sent() != test.sent || trace.Started() != test.started {
				t.Errorf("got sent %v, started %v (%v); want %v, %v", trace.Sent(), trace.Started(), err, test.sent, test.started)
			}
		})
	}
}

// open returns a client of a server that answers starts, or of an address where nobody listens.
func open(t *testing.T, answer func() (*workflowservice.StartWorkflowExecutionResponse, error)) client.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		listener.Close()
	} else {
		s := grpc.NewServer()
		workflowservice.RegisterWorkflowServiceServer(s, &server{answer: answer})
		served := make(chan error, 1)
		go func() { served <- s.Serve(listener) }()
		t.Cleanup(func() { s.Stop(); <-served })
	}
	c, err := temporalclient.Open(temporalclient.Config{Address: listener.Addr().String()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
