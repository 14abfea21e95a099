package ops

import (
	"errors"
	"fmt"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/plain"
)

// configured gives a command its configuration, a C, and a validate for flags that kong checks completely. Commands with
// further rules have a validate of their own, at least by embedding change.
type configured[C any] struct{ config C }

func (*configured[C]) validate() error { return nil }

func (c *configured[C]) variables() []env.Variable { return env.Variables[C]() }

func (c *configured[C]) configure(environ []string) (err error) {
	c.config, err = env.Parse[C](environ)
	return err
}

// change are the flags of every command that changes something.
type change struct {
	Apply    bool   `help:"Make the change. Without it, nothing changes and the output says what would."`
	Operator string `help:"Who makes the change; recorded with it. Required by --apply." placeholder:"NAME"`
	Reason   string `help:"Why; recorded with the change. Required by --apply." placeholder:"TEXT"`
}

func (c change) validate() error {
	var errs []error
	if c.Apply && c.Operator == "" {
		errs = append(errs, errors.New("--apply requires --operator, which is recorded"))
	}
	if c.Apply && c.Reason == "" {
		errs = append(errs, errors.New("--apply requires --reason, which is recorded"))
	}
	for name, value := range map[string]string{"--operator": c.Operator, "--reason": c.Reason} {
		if err := plain.Line(value); value != "" && err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name, err))
		}
	}
	return errors.Join(errs...)
}
