package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// gatewayTimeout is how long the payment gateway may take to say whether it accepts the API key.
const gatewayTimeout = 10 * time.Second

// checkGateway fails when the payment gateway rejects the API key: every payment would fail. A gateway that is down does not
// keep the worker from starting, because sagas wait for it.
func checkGateway(ctx context.Context, ask func(context.Context) error, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, gatewayTimeout)
	defer cancel()
	err := ask(ctx)
	var refused interface{ NeedsAttention() bool }
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.NeedsAttention():
		return fmt.Errorf("STRIPE_API_KEY: %w", err)
	default:
		log.Warn("the payment gateway does not respond; payments will wait for it", "error", err.Error())
	}
	return nil
}
