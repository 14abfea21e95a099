package temporalclient

import (
	"context"
	"log/slog"
	"strings"

	sdklog "go.temporal.io/sdk/log"
)

// logger writes the SDK's log lines under the names of all our logs: workflowId rather than WorkflowID, and orderId for a
// workflow of an order.
type logger struct{ log *slog.Logger }

func (l logger) Debug(msg string, pairs ...any) { l.write(slog.LevelDebug, msg, pairs) }
func (l logger) Info(msg string, pairs ...any)  { l.write(slog.LevelInfo, msg, pairs) }
func (l logger) Warn(msg string, pairs ...any)  { l.write(slog.LevelWarn, msg, pairs) }
func (l logger) Error(msg string, pairs ...any) { l.write(slog.LevelError, msg, pairs) }

func (l logger) write(level slog.Level, msg string, pairs []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, msg, renamed(pairs)...)
	}
}

// With returns a logger whose lines have the pairs as well.
func (l logger) With(pairs ...any) sdklog.Logger { return logger{l.log.With(renamed(pairs)...)} }

// renamed returns the pairs with names that begin in lower case.
func renamed(pairs []any) []any {
	out := make([]any, 0, len(pairs)+2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return pairs
		}
		value := pairs[i+1]
		out = append(out, camel(name), value)
		if id, isText := value.(string); isText && name == "WorkflowID" {
			if found, about := orderOf(id); about {
				out = append(out, "orderId", found)
			}
		}
	}
	return out
}

// camel turns WorkflowID into workflowId.
func camel(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + strings.ReplaceAll(name[1:], "ID", "Id")
}
