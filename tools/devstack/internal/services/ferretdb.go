package services

import (
	"context"
	"os/exec"
	"syscall"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

func (s *Stack) ferretdb() supervisor.Service {
	settings := embedded.FerretDBSettings{
		PostgresURL: s.SuperuserURL("documentdb") + "&pool_max_conns=20",
		Listen:      s.Address(config.MongoDB),
		StateDir:    ferretDir,
	}
	return supervisor.Service{
		Name: "ferretdb", Address: s.Address(config.MongoDB),
		After:        []string{"postgres"},
		Command:      func() (*exec.Cmd, error) { return s.embedded(embedded.FerretDB, settings) },
		Ready:        s.ferretReady,
		StartTimeout: startTimeout,
		Stop:         syscall.SIGTERM,
		StopTimeout:  stopTimeout,
	}
}

// ferretReady sends a command for which FerretDB needs PostgreSQL.
func (s *Stack) ferretReady(ctx context.Context) error {
	if err := s.accepts(ctx, config.MongoDB); err != nil {
		return err // the driver would go on trying
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + s.Address(config.MongoDB)))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	_, err = client.ListDatabaseNames(ctx, struct{}{})
	return err
}
