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

// checkGateway asks the payment gateway whether it accepts the API key, and fails when it does not: every payment would.
// That the gateway is away is no reason not to start: sagas wait for it.
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
		log.Warn("the payment gateway does not answer; payments will wait for it", "error", err.Error())
	}
	return nil
}
