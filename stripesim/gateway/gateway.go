package gateway

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the ledger's schema up to date.
func Migrate(ctx context.Context, db *pgdb.DB) error {
	return pgdb.Migrate(ctx, db.Pool, migrations)
}

// Options say how the gateway behaves without fault rules. Stripe keeps responses for at least 24 h, and its searches lag by
// about a minute.
type Options struct {
	APIKey        string        `env:"STRIPESIM_API_KEY,notEmpty" secret:"true" help:"the key of clients, for example sk_test_local"`
	DeclineRate   float64       `env:"STRIPESIM_DECLINE_RATE" envDefault:"0" help:"share of declined confirmations, 0 to 1"`
	Latency       time.Duration `env:"STRIPESIM_LATENCY" envDefault:"0s" help:"delay added to every call, before its effect"`
	KeyLife       time.Duration `env:"STRIPESIM_IDEMPOTENCY_KEY_LIFE" envDefault:"24h" help:"age at which keys are forgotten"`
	SearchDelay   time.Duration `env:"STRIPESIM_SEARCH_DELAY" envDefault:"1m" help:"age at which a search finds a payment"`
	RefundDelay   time.Duration `env:"STRIPESIM_REFUND_DELAY" envDefault:"5s" help:"until refunds of pm_card_refundFail fail"`
	WebhookURL    string        `env:"STRIPESIM_WEBHOOK_URL" form:"url" help:"receives payment events; if empty, none are sent"`
	WebhookSecret string        `env:"STRIPESIM_WEBHOOK_SECRET" secret:"true" help:"signs payment events; the receiver must know it"`

	Now func() time.Time // the clock; time.Now when nil
}

// Gateway is the simulator over one ledger.
type Gateway struct {
	db      *pgdb.DB
	options Options
	log     *slog.Logger
	faults  *faults
	running sync.Map // the idempotency keys of running calls
}

// New returns a gateway over a migrated ledger.
func New(db *pgdb.DB, options Options, log *slog.Logger) *Gateway {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Gateway{db: db, options: options, log: log, faults: newFaults(options)}
}

// now is the time for the ledger, in PostgreSQL's precision.
func (g *Gateway) now() time.Time { return g.options.Now().UTC().Truncate(time.Microsecond) }

// Handler serves the API, the fault rules, the ledger, the page and the probes.
func (g *Gateway) Handler() http.Handler {
	if gin.Mode() == gin.DebugMode {
		gin.SetMode(gin.ReleaseMode)
	}
	router := gin.New()
	router.Use(func(c *gin.Context) { c.Request.Pattern = c.FullPath() }) // for traces and metrics
	router.HandleMethodNotAllowed = true
	router.NoRoute(unrecognized)
	router.NoMethod(unrecognized)

	v1 := router.Group("/v1", g.authenticate)
	v1.POST("/payment_intents", g.serve(createIntent))
	v1.GET("/payment_intents", g.serve(listIntents))
	v1.GET("/payment_intents/search", g.serve(searchIntents))
	v1.GET("/payment_intents/:id", g.serve(retrieveIntent))
	v1.POST("/payment_intents/:id/confirm", g.serve(confirmIntent))
	v1.POST("/payment_intents/:id/cancel", g.serve(cancelIntent))
	v1.POST("/refunds", g.serve(createRefund))
	v1.GET("/refunds", g.serve(listRefunds))
	v1.GET("/refunds/:id", g.serve(retrieveRefund))
	v1.GET("/disputes", g.serve(listDisputes))
	v1.GET("/disputes/:id", g.serve(retrieveDispute))
	v1.POST("/disputes/:id", g.serve(updateDispute))
	v1.POST("/disputes/:id/close", g.serve(closeDispute))

	router.GET("/_sim/faults", g.getFaults)
	router.PUT("/_sim/faults", g.authenticate, g.putFaults)
	router.GET("/_sim/ledger", g.getLedger)
	router.POST("/_sim/refunds/:id", g.authenticate, g.byHand(changeRefund))
	router.POST("/_sim/disputes", g.authenticate, g.byHand(createDispute))
	router.GET("/", g.getPage)

	probes := gin.WrapH(httpserver.Probes(map[string]httpserver.Check{"postgres": g.db.Ready}, g.log))
	router.GET("/livez", probes)
	router.GET("/readyz", probes)
	router.HEAD("/livez", probes)
	router.HEAD("/readyz", probes)
	router.GET("/metrics", probes)
	return router
}
