package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/golang-jwt/jwt/v5"

	"ordersaga/internal/httpapi"
	"ordersaga/internal/httpapi/problem"
)

// The ways to authenticate.
const (
	authNone = "none"
	authJWT  = "jwt"
)

// The scopes of tokens, in the claim scope, separated by spaces.
const (
	scopeOrders   = "orders"          // one's own orders; the claim sub is the user's ID
	scopeOperator = "orders:operator" // everybody's orders
)

// leeway is how far clocks may differ.
const leeway = 30 * time.Second

// minSecret is the shortest shared secret, in bytes: as long as the hash (RFC 7518, 3.2).
const minSecret = 32

// With a shared secret there is one algorithm; with a key set every asymmetric one that its keys may be for. The two
// never mix, or a public key could be used as a secret.
var (
	sharedAlgorithms = []string{"HS256"}
	keySetAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

type authConfig struct {
	Mode     string `env:"AUTH_MODE,required,notEmpty" help:"jwt: every request needs a token; none: everybody may do everything (said in the log)"`
	Secret   string `env:"JWT_SECRET" secret:"true" help:"shared secret of HS256 tokens, 32 bytes or more; or else JWKS_URL"`
	JWKSURL  string `env:"JWKS_URL" form:"http://host/path" help:"URL of the JSON Web Key Set that tokens are signed by; or else JWT_SECRET"`
	Issuer   string `env:"JWT_ISSUER" help:"what a token's iss must be; required with AUTH_MODE=jwt"`
	Audience string `env:"JWT_AUDIENCE" envDefault:"orders" help:"what must be in a token's aud"`
}

func (c authConfig) validate() error {
	switch c.Mode {
	case authNone:
		return nil
	case authJWT:
	default:
		return fmt.Errorf("AUTH_MODE: want %s or %s", authJWT, authNone)
	}
	var errs []error
	if (c.Secret == "") == (c.JWKSURL == "") {
		errs = append(errs, errors.New("JWT_SECRET, JWKS_URL: AUTH_MODE=jwt needs one of them, and not both"))
	}
	if c.Secret != "" && len(c.Secret) < minSecret {
		errs = append(errs, fmt.Errorf("JWT_SECRET: want %d bytes or more", minSecret))
	}
	if c.Issuer == "" {
		errs = append(errs, errors.New("JWT_ISSUER: required with AUTH_MODE=jwt"))
	}
	if c.Audience == "" {
		errs = append(errs, errors.New("JWT_AUDIENCE: must not be empty"))
	}
	return errors.Join(errs...)
}

// principal is whoever sends a request.
type principal struct {
	userID   int64 // 0: nobody in particular
	all      bool  // may see and change everybody's orders
	operator bool  // acts for the shop, and not for a user
}

func (p principal) sees(userID int64) bool { return p.all || p.userID == userID }

type principalKey struct{}

func principalOf(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// authenticator finds out who sends a request. A nil key function means that it does not ask.
type authenticator struct {
	keys   jwt.Keyfunc
	parser *jwt.Parser
}

// newAuthenticator returns an authenticator; a key set is fetched, and kept fresh until ctx is done, in the background.
func newAuthenticator(ctx context.Context, c authConfig, log *slog.Logger) (*authenticator, error) {
	if c.Mode == authNone {
		log.Warn("AUTH_MODE=none: there is no authentication, and everybody who reaches this address may do everything")
		return &authenticator{}, nil
	}
	algorithms := sharedAlgorithms
	keys := func(*jwt.Token) (any, error) { return []byte(c.Secret), nil }
	if c.JWKSURL != "" {
		set, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{c.JWKSURL}, keyfunc.Override{
			HTTPTimeout: 5 * time.Second, RateLimitWaitMax: time.Second,
			RefreshErrorHandlerFunc: func(u string) func(context.Context, error) {
				return func(_ context.Context, err error) {
					log.Warn("the key set cannot be fetched", "url", u, "error", err.Error())
				}
			},
		})
		if err != nil {
			return nil, fmt.Errorf("JWKS_URL: %w", err)
		}
		algorithms, keys = keySetAlgorithms, set.Keyfunc
	}
	return &authenticator{keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
	)}, nil
}

// middleware puts the principal into the request's context, or refuses the request.
func (a *authenticator) middleware(api *httpapi.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p, refused := a.authenticate(ctx.Context(), ctx.Header("Authorization"))
		if refused != nil {
			api.Refuse(ctx, refused)
			return
		}
		next(huma.WithValue(ctx, principalKey{}, p))
	}
}

// limitUsers limits the requests of each user. Operators and strangers are limited by their address alone.
func limitUsers(api *httpapi.API, limiter *httpapi.Limiter) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if id := principalOf(ctx.Context()).userID; id != 0 {
			if p := limiter.Take(strconv.FormatInt(id, 10), humagin.Unwrap(ctx).Writer.Header()); p != nil {
				api.Refuse(ctx, p)
				return
			}
		}
		next(ctx)
	}
}

type claims struct {
	Scope string `json:"scope"`
	jwt.RegisteredClaims
}

func (a *authenticator) authenticate(ctx context.Context, header string) (principal, *problem.Problem) {
	if a.keys == nil {
		return principal{all: true}, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return principal{}, problem.Unauthenticated.New("a bearer token is required").WithHeader("WWW-Authenticate", "Bearer")
	}
	var c claims
	if _, err := a.parser.ParseWithClaims(strings.TrimSpace(token), &c, a.keys); err != nil {
		httpapi.Log(ctx).Info("token refused", "error", err.Error())
		return principal{}, invalidToken("the token is not valid, or no longer")
	}
	return c.principal()
}

func (c claims) principal() (principal, *problem.Problem) {
	scopes := strings.Fields(c.Scope)
	if slices.Contains(scopes, scopeOperator) {
		return principal{all: true, operator: true}, nil
	}
	if !slices.Contains(scopes, scopeOrders) {
		return principal{}, problem.Forbidden.New("the token lacks the scope %s", scopeOrders).
			WithHeader("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+scopeOrders+`"`)
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil || id <= 0 {
		return principal{}, invalidToken("the token's sub is not the ID of a user")
	}
	return principal{userID: id}, nil
}

func invalidToken(detail string) *problem.Problem {
	return problem.Unauthenticated.New(detail).WithHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
}

// schemes documents how to authenticate.
func (a *authenticator) schemes() map[string]*huma.SecurityScheme {
	if a.keys == nil {
		return nil
	}
	return map[string]*huma.SecurityScheme{"token": {
		Type: "http", Scheme: "bearer", BearerFormat: "JWT",
		Description: "Scope " + scopeOrders + ": the orders of the user in sub. Scope " + scopeOperator + ": all orders.",
	}}
}

// secure documents that an operation needs a token.
func (a *authenticator) secure(op huma.Operation) huma.Operation {
	if a.keys != nil {
		op.Security = []map[string][]string{{"token": {}}}
	}
	return op
}

func (a *authenticator) problems() []problem.Type {
	if a.keys == nil {
		return nil
	}
	return []problem.Type{problem.Unauthenticated, problem.Forbidden}
}
