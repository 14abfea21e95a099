package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

func (s *Stack) rabbitmq() supervisor.Service {
	return supervisor.Service{
		Name: "rabbitmq", Address: s.Address(config.RabbitMQ),
		Command: func(ctx context.Context) (*exec.Cmd, error) {
			if err := s.configureRabbitMQ(); err != nil {
				return nil, err
			}
			return s.inRoot(ctx, rabbitUser, "/usr/lib/rabbitmq/bin/rabbitmq-server", nil, s.rabbitEnvironment())
		},
		Ready: s.rabbitReady,
	}
}

func (s *Stack) rabbitEnvironment() []string {
	return []string{
		"HOME=" + rabbitDir,
		"RABBITMQ_NODENAME=rabbit@localhost",
		"RABBITMQ_MNESIA_BASE=" + rabbitDir + "/mnesia",
		"RABBITMQ_LOG_BASE=" + rabbitDir + "/log",
		"RABBITMQ_CONFIG_FILE=" + rabbitDir + "/rabbitmq.conf",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + rabbitDir + "/enabled_plugins",
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(s.Ports[config.RabbitMQNode]),
		"ERL_EPMD_PORT=" + strconv.Itoa(s.Ports[config.RabbitMQNames]),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RUNNING_UNDER_SYSTEMD=true", // the Erlang VM replaces the shell and gets the signals itself
	}
}

// configureRabbitMQ writes the settings that depend on the stack; users and permissions are in rabbitmq-definitions.json.
func (s *Stack) configureRabbitMQ() error {
	files := map[string]string{
		"rabbitmq.conf": fmt.Sprintf(`listeners.tcp.1 = %s
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = %d
load_definitions = %s/rabbitmq-definitions.json
log.console = true
log.console.level = info
log.console.use_colors = off
log.file = false
`, s.Address(config.RabbitMQ), s.Ports[config.RabbitMQManagement], s.Ports[config.RabbitMQMetrics], setupDir),
		"enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Data, "rabbitmq", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) rabbitReady(ctx context.Context) error {
	if err := s.accepts(ctx, config.RabbitMQ); err != nil {
		return err
	}
	return get(ctx, s.RabbitMQAPI()+"/api/health/checks/local-alarms")
}
