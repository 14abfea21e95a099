package main

import (
	"context"
	"errors"
	"maps"
	"path/filepath"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

type up struct {
	stack
	ServicesOnly bool `help:"Without the project's programs."`
}

func (u up) Run(ctx context.Context, out *console) error {
	c, err := u.wanted()
	if err != nil {
		return err
	}
	c.ServicesOnly = u.ServicesOnly
	_, err = launch(ctx, c, true, out)
	if errors.Is(err, errAlreadyUp) {
		return bringUpToDate(ctx, c, out)
	}
	if err != nil {
		return err
	}
	out.line("stack", "up; logs are in %s", filepath.Dir(c.LogFile("")))
	if !c.ServicesOnly {
		out.line("api", "accepts orders at http://%s, without authentication (AUTH_MODE=none)", c.Address(config.API))
		out.line("catalog", "has the products at http://%s, also without authentication", c.Address(config.Catalog))
	}
	out.line("temporal-ui", "shows the orders' sagas at http://%s", c.Address(config.TemporalUI))
	return nil
}

// bringUpToDate makes a running stack start services that were left out or stopped, and restart programs that were rebuilt or
// whose variables have changed. Everything else runs on.
func bringUpToDate(ctx context.Context, wanted config.Config, out *console) error {
	pid, err := running(wanted)
	if err != nil {
		return err
	}
	current, err := readConfig(wanted.File())
	if err != nil {
		return err
	}
	if !maps.Equal(current.Ports, wanted.Ports) || current.Repo != wanted.Repo || current.RootFS != wanted.RootFS {
		return errors.New("the stack is already up with other ports or from another checkout: `devstack down` first")
	}
	if current.ServicesOnly && !wanted.ServicesOnly {
		if err := current.CheckPortsFree(false, true); err != nil {
			return err
		}
	}
	current.ServicesOnly = current.ServicesOnly && wanted.ServicesOnly
	current.Overrides, current.Stopped = wanted.Overrides, nil
	if err := reload(ctx, current, pid, out); err != nil {
		return err
	}
	out.line("stack", "is already up")
	return nil
}
