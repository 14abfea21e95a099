package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

func (s *Stack) temporal() supervisor.Service {
	port := func(name string) string { return strconv.Itoa(s.Ports[name]) }
	return supervisor.Service{
		Name: Temporal, Address: s.Address(config.Temporal),
		After: []string{"postgres"},
		// The variables of temporal-config/server.yaml, and the file itself.
		Command: s.embedded(Temporal, "TEMPORAL_SERVER_CONFIG_FILE_PATH="+setupDir+"/server.yaml",
			"BIND_ON_IP=127.0.0.1", "DYNAMIC_CONFIG_FILE_PATH="+setupDir+"/dynamicconfig.yaml",
			"PROMETHEUS_ENDPOINT="+s.Address(config.TemporalMetrics),
			"POSTGRES_SEEDS=127.0.0.1", "DB_PORT="+port(config.Postgres), "POSTGRES_USER=temporal", "POSTGRES_PWD=temporal",
			"FRONTEND_GRPC_PORT="+port(config.Temporal), "FRONTEND_HTTP_PORT="+port(config.TemporalHTTP),
			"HISTORY_GRPC_PORT="+port(config.TemporalHistory), "MATCHING_GRPC_PORT="+port(config.TemporalMatching),
			"WORKER_GRPC_PORT="+port(config.TemporalWorker)),
		Ready: s.temporalReady,
	}
}

func (s *Stack) webUI() supervisor.Service {
	address := s.Address(config.TemporalUI)
	return supervisor.Service{
		Name: WebUI, Address: address,
		Command: s.embedded(WebUI, "TEMPORAL_ADDRESS="+s.Address(config.Temporal), "TEMPORAL_UI_HOST=127.0.0.1",
			"TEMPORAL_UI_PORT="+strconv.Itoa(s.Ports[config.TemporalUI])),
		Ready: func(ctx context.Context) error { return get(ctx, "http://"+address+"/healthz") },
	}
}

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

// temporalReady returns nil once the server has the namespace and the search attributes, which it registers, and understands a
// search by them.
func (s *Stack) temporalReady(ctx context.Context) error {
	if err := s.accepts(ctx, config.Temporal); err != nil {
		return err // gRPC would wait longer and longer between its attempts
	}
	temporal, err := client.DialContext(ctx, client.Options{
		HostPort: s.Address(config.Temporal), Namespace: namespace, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	_, err = temporal.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, Description: "orders", WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	if _, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); err != nil && !exists {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	_, err = temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: searchAttributes, // it leaves alone those that exist
	})
	if err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	_, err = temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: "SagaStatus = 'x' OR SagaStep = 'x' OR SagaError = 'x'",
	})
	return err
}
