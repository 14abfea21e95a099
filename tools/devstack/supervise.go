package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/services"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// superviseCommand is the hidden command that `devstack up` and `devstack exec` run in its own namespaces.
const superviseCommand = "supervise"

// supervise runs the stack of a configuration file until SIGTERM. After SIGHUP it follows the file's new content.
func supervise(configFile string) error {
	const lock = 3 // inherited: the stack's lock, which must end with the supervisor, so that no service may have it
	syscall.CloseOnExec(lock)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	c, err := readConfig(configFile)
	if err != nil {
		return err
	}
	syscall.Umask(0o022) // unprivileged services must read what we write for them
	if err := contain.Enter(); err != nil {
		return err
	}
	if err := services.CopySetup(c); err != nil {
		return err
	}
	root, err := contain.OpenRoot(c.RootFS, services.Dirs(c))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	wanted := func() ([]supervisor.Service, error) {
		c, err := readConfig(configFile)
		if err != nil {
			return nil, err
		}
		return services.New(c, root).Wanted()
	}
	return supervisor.New(c.StatusFile(), c.LogFile, log).Run(ctx, wanted, reload)
}

func readConfig(path string) (config.Config, error) {
	var c config.Config
	content, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func writeConfig(c config.Config) error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.File(), content, 0o600)
}
