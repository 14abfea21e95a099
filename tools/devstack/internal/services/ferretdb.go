package services

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

func (s *Stack) ferretdb() supervisor.Service {
	return supervisor.Service{
		Name: FerretDB, Address: s.Address(config.MongoDB),
		After: []string{"postgres"},
		Command: s.embedded(FerretDB, "FERRETDB_POSTGRESQL_URL="+s.SuperuserURL("documentdb")+"&pool_max_conns=20",
			"FERRETDB_LISTEN_ADDR="+s.Address(config.MongoDB), "FERRETDB_STATE_DIR="+ferretDir),
		Ready: s.ferretReady,
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
