package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

const postgresBin = "/usr/lib/postgresql/18/bin/"

func (s *Stack) postgres() supervisor.Service {
	return supervisor.Service{
		Name: "postgres", Address: s.Address(config.Postgres),
		Command: func(ctx context.Context) (*exec.Cmd, error) {
			if err := s.initPostgres(ctx); err != nil {
				return nil, err
			}
			return s.inRoot(ctx, postgresUser, postgresBin+"postgres", s.postgresArgs(), nil)
		},
		Ready: s.postgresReady,
		Setup: s.setUpPostgres,
		Stop:  syscall.SIGINT, // fast shutdown: ends the sessions, writes a checkpoint
	}
}

// postgresArgs are the settings. They are given at every start and not kept in the cluster, so that changes also apply to
// existing data.
func (s *Stack) postgresArgs() []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(s.Ports[config.Postgres]),
		"unix_socket_directories=/run",
		"max_connections=300",  // tests run in parallel, each with its own pools
		"shared_buffers=128MB", // the whole stack fits into 1.5 GB
		"max_wal_size=2GB",
		"checkpoint_timeout=15min",
		// DocumentDB builds indexes in the background, with pg_cron or its own workers. Both need to know the database.
		// pg_stat_statements counts what each statement costs, for `bench --sheet` and for people.
		"shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb,pg_documentdb_extended_rum,pg_stat_statements",
		"pg_stat_statements.max=10000",
		"cron.database_name=documentdb",
		"cron.host=/run", // the socket needs no password
		"cron.log_statement=off",
		"cron.log_run=off",
		"documentdb.bg_worker_database_name=documentdb",
		"documentdb.localhost_connection_string=host=/run",
		// As in MongoDB, indexes are read in the order of a sort: also after a list of values, and when the sort is bounded
		// and the index has arrays in it.
		"documentdb.alternate_index_handler_name=extended_rum",
		"documentdb.enable_merge_sort_for_in_prefix=on",
		"documentdb.enableIndexMetadataGlobalTracking=on",
		"log_checkpoints=off",
		"log_line_prefix=%m [%p] %u@%d ",
	}
	if s.ThrowAway {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	args := []string{"-D", postgresDir + "/data"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// initialised is a file that is written once the cluster is complete. A cluster without it was interrupted before it was used,
// and is replaced.
func (s *Stack) initialised() string { return filepath.Join(s.Data, "postgres", "initialised") }

// initPostgres creates an empty cluster unless there is one.
func (s *Stack) initPostgres(ctx context.Context) error {
	if _, err := os.Stat(s.initialised()); err == nil {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(s.Data, "postgres", "data")); err != nil {
		return err
	}
	password := filepath.Join(setupHost(s.Config), "postgres-password")
	if err := os.WriteFile(password, []byte("postgres\n"), 0o644); err != nil {
		return err
	}
	args := []string{
		"-D", postgresDir + "/data", "-U", "postgres", "--pwfile", setupDir + "/postgres-password",
		"--auth-local=trust", // only our services see the socket: it is inside the root file system
		"--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8",
	}
	if s.ThrowAway {
		args = append(args, "--no-sync")
	}
	if err := s.runPostgres(ctx, postgresBin+"initdb", args, ""); err != nil {
		return err
	}
	// The database of the setting cron.database_name must exist when PostgreSQL starts.
	single := []string{"--single", "-D", postgresDir + "/data", "postgres"}
	return s.runPostgres(ctx, postgresBin+"postgres", single, "CREATE DATABASE documentdb\n")
}

// runPostgres runs one of PostgreSQL's programs to its end; its output goes to PostgreSQL's log.
func (s *Stack) runPostgres(ctx context.Context, program string, args []string, input string) error {
	cmd, err := s.inRoot(ctx, postgresUser, program, args, nil)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.LogFile("postgres"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), log, log
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its group
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return nil
}

func (s *Stack) postgresReady(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.SuperuserURL("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// setUpPostgres creates the roles and databases in an empty cluster, and missing extensions in any cluster.
func (s *Stack) setUpPostgres(ctx context.Context) error {
	_, err := os.Stat(s.initialised())
	empty := err != nil
	if empty {
		if err := s.runSQL(ctx, "postgres-init.sql"); err != nil {
			return err
		}
	}
	if err := s.runSQL(ctx, "postgres-documentdb.sql"); err != nil || !empty {
		return err
	}
	return os.WriteFile(s.initialised(), nil, 0o644)
}

// runSQL runs one of the setup files with psql.
func (s *Stack) runSQL(ctx context.Context, file string) error {
	const quiet = " options='-c client_min_messages=warning'"
	err := s.runPostgres(ctx, "/usr/bin/psql", []string{
		"-d", "host=/run user=postgres dbname=postgres port=" + strconv.Itoa(s.Ports[config.Postgres]) + quiet,
		"-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--quiet", "-f", setupDir + "/" + file,
	}, "")
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
