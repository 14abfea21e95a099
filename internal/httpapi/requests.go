package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// RequestIDHeader holds the request's ID, in requests (optional) and in every response.
const RequestIDHeader = "X-Request-ID"

// saneRequestID matches the client's request IDs that are kept in logs and responses. Others are replaced.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// request is the state of one request.
type request struct {
	id  string
	log *slog.Logger

	mu    sync.Mutex
	attrs []any // for the access log
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// RequestID returns the ID of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.id
	}
	return ""
}

// Log returns the logger of the request that ctx belongs to. Its lines have the request's ID and the attributes that
// Annotate added. Outside of a request it is the default logger.
func Log(ctx context.Context) *slog.Logger {
	r := requestOf(ctx)
	if r == nil {
		return slog.Default()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.With(r.attrs...)
}

// Annotate adds attributes, for example "orderId", id, to the request's later log lines and to its line in the access log.
func Annotate(ctx context.Context, attrs ...any) {
	if r := requestOf(ctx); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.attrs = append(r.attrs, attrs...)
	}
}

// requests gives every request an ID and a logger, and logs one line when it ends.
func requests(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		id := c.GetHeader(RequestIDHeader)
		if !saneRequestID.MatchString(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		c.Request.Pattern = c.FullPath() // for traces and metrics
		attrs := append([]any{"requestId", id}, telemetry.TraceAttrs(c.Request.Context())...)
		r := &request{id: id, log: log.With(attrs...)}
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey{}, r))
		c.Header(RequestIDHeader, id)
		c.Next()
		accessLog(c, time.Since(start))
	}
}

// accessLog logs the route instead of the path and the query, so that lines can be counted by route and clients cannot
// write into the log.
func accessLog(c *gin.Context, took time.Duration) {
	route, level := c.FullPath(), slog.LevelInfo
	switch route {
	case "/livez", "/readyz", "/metrics": // requested every few seconds
		level = slog.LevelDebug
	case "":
		route = "(none)"
	}
	ctx := c.Request.Context()
	Log(ctx).Log(ctx, level, "request",
		"method", c.Request.Method, "route", route, "status", c.Writer.Status(), "bytes", max(c.Writer.Size(), 0),
		"ms", float64(took.Microseconds())/1000, "client", c.ClientIP())
}

// recovery turns a panic into internal-error and logs it with its stack. If the response had begun, recovery cuts the
// connection, so that the client does not take half a response for a whole one.
func recovery(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		Log(c.Request.Context()).Error("panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		Respond(c, problem.Internal.New(internalDetail))
	}()
	c.Next()
}
