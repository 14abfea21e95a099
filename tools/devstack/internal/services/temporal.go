package services

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// What the project's workflows need in Temporal.
const (
	namespace = "default"
	retention = 7 * 24 * time.Hour // of closed workflows
)

var searchAttributes = map[string]enums.IndexedValueType{
	"SagaStatus": enums.INDEXED_VALUE_TYPE_KEYWORD,
	"SagaStep":   enums.INDEXED_VALUE_TYPE_KEYWORD,
	"SagaError":  enums.INDEXED_VALUE_TYPE_KEYWORD,
}

func (s *Stack) temporal() supervisor.Service {
	settings := embedded.TemporalSettings{
		ConfigFile: setupDir + "/server.yaml",
		Variables: map[string]string{
			"BIND_ON_IP":               "127.0.0.1",
			"DYNAMIC_CONFIG_FILE_PATH": setupDir + "/dynamicconfig.yaml",
			"POSTGRES_SEEDS":           "127.0.0.1",
			"DB_PORT":                  strconv.Itoa(s.Ports[config.Postgres]),
			"POSTGRES_USER":            "temporal",
			"POSTGRES_PWD":             "temporal",
			"FRONTEND_GRPC_PORT":       strconv.Itoa(s.Ports[config.Temporal]),
			"HISTORY_GRPC_PORT":        strconv.Itoa(s.Ports[config.TemporalHistory]),
			"MATCHING_GRPC_PORT":       strconv.Itoa(s.Ports[config.TemporalMatching]),
			"WORKER_GRPC_PORT":         strconv.Itoa(s.Ports[config.TemporalWorker]),
		},
	}
	return supervisor.Service{
		Name: "temporal", Address: s.Address(config.Temporal),
		After:        []string{"postgres"},
		Command:      func() (*exec.Cmd, error) { return s.embedded(embedded.Temporal, settings) },
		Ready:        s.temporalReady,
		Setup:        s.setUpTemporal,
		StartTimeout: startTimeout,
		Stop:         syscall.SIGTERM,
		StopTimeout:  stopTimeout,
	}
}

func (s *Stack) webUI() supervisor.Service {
	settings := embedded.WebUISettings{
		Host: "127.0.0.1", Port: s.Ports[config.TemporalUI], TemporalAddress: s.Address(config.Temporal),
	}
	address := s.Address(config.TemporalUI)
	return supervisor.Service{
		Name: embedded.WebUI, Address: address,
		Command:      func() (*exec.Cmd, error) { return s.embedded(embedded.WebUI, settings) },
		Ready:        func(ctx context.Context) error { return get(ctx, "http://"+address+"/healthz") },
		StartTimeout: startTimeout,
		Stop:         syscall.SIGTERM,
		StopTimeout:  stopTimeout,
	}
}

func (s *Stack) dialTemporal() (*grpc.ClientConn, error) {
	return grpc.NewClient(s.Address(config.Temporal), grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func (s *Stack) temporalReady(ctx context.Context) error {
	if err := s.accepts(ctx, config.Temporal); err != nil {
		return err // gRPC would wait longer and longer between its attempts
	}
	conn, err := s.dialTemporal()
	if err != nil {
		return err
	}
	defer conn.Close()
	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: "temporal.api.workflowservice.v1.WorkflowService",
	})
	if err != nil {
		return err
	}
	if health.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the frontend is %s", health.Status)
	}
	return nil
}

// setUpTemporal registers the namespace and the search attributes, and waits until the server knows them.
func (s *Stack) setUpTemporal(ctx context.Context) error {
	conn, err := s.dialTemporal()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := registerNamespace(ctx, workflowservice.NewWorkflowServiceClient(conn)); err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	if err := untilNil(ctx, func() error { return addSearchAttributes(ctx, operatorservice.NewOperatorServiceClient(conn)) }); err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	err = untilNil(ctx, func() error { return canSearch(ctx, workflowservice.NewWorkflowServiceClient(conn)) })
	if err != nil {
		return fmt.Errorf("wait for the search attributes: %w", err)
	}
	return nil
}

func registerNamespace(ctx context.Context, client workflowservice.WorkflowServiceClient) error {
	_, err := client.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err == nil {
		return nil
	}
	_, err = client.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		Description: "orders",
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if errors.As(serviceerror.FromStatus(status.Convert(err)), &exists) {
		return nil
	}
	return err
}

func addSearchAttributes(ctx context.Context, client operatorservice.OperatorServiceClient) error {
	known, err := client.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range searchAttributes {
		if _, ok := known.CustomAttributes[name]; !ok {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = client.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	return err
}

// canSearch returns nil once the server understands a search by the attributes.
func canSearch(ctx context.Context, client workflowservice.WorkflowServiceClient) error {
	_, err := client.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: "SagaStatus = 'x' OR SagaStep = 'x' OR SagaError = 'x'",
	})
	return err
}

// untilNil tries until there is no error, or ctx is done.
func untilNil(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
