// Package auth authenticates requests by the JSON Web Token in the header Authorization, and authorizes them by the token's
// scopes. Each operation requires a scope or is public:
//
//	who, err := auth.New(ctx, c.Auth, c.Audience, log)
//	api := httpapi.New(httpapi.Config{SecuritySchemes: who.Schemes("Scope catalog:manager: everything about products."), …})
//	api.UseMiddleware(who.Middleware)
//	httpapi.Register(api, who.Require(create, "catalog:manager"), s.create)
//	httpapi.Register(api, who.Public(list), s.list)
//
// The same field of an operation is documented and enforced. An operation that is neither is forbidden to every client. With
// AUTH_MODE=none every operation is open, nothing is documented, and the log says so.
package auth

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// leeway is the tolerated difference between clocks.
const leeway = 30 * time.Second

// The algorithm with a shared secret, and those with a key set. They never mix: otherwise an attacker could use a public key
// as the secret.
var (
	sharedAlgorithms = []string{"HS256"}
	keySetAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// Authenticator checks tokens.
type Authenticator struct {
	keys   jwt.Keyfunc // nil: no tokens are required
	parser *jwt.Parser
}

// New returns an authenticator for tokens with the audience. It fetches a key set and refreshes it in the background until
// ctx is done. Only a request whose token names an unknown key waits for that.
func New(ctx context.Context, c Config, audience string, log *slog.Logger) (*Authenticator, error) {
	if c.Mode == ModeNone {
		log.Warn("AUTH_MODE=none: there is no authentication; every client that reaches this address may do everything")
		return &Authenticator{}, nil
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
	return &Authenticator{keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithIssuer(c.Issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
	)}, nil
}

// Enabled reports whether tokens are required.
func (a *Authenticator) Enabled() bool { return a.keys != nil }

// Token holds the claims of a valid token.
type Token struct {
	Subject string   // the claim sub
	Scopes  []string // the claim scope, split at spaces
}

// Has reports whether the token has a scope.
func (t Token) Has(scope string) bool { return slices.Contains(t.Scopes, scope) }

type tokenKey struct{}

// TokenOf returns the token of the request that ctx belongs to. It is empty if the operation requires none.
func TokenOf(ctx context.Context) Token {
	t, _ := ctx.Value(tokenKey{}).(Token)
	return t
}

type claims struct {
	Scope string `json:"scope"`
	jwt.RegisteredClaims
}

// token validates the token in the header Authorization.
func (a *Authenticator) token(ctx context.Context, header string) (Token, *problem.Problem) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Token{}, problem.Unauthenticated.New("a bearer token is required").WithHeader("WWW-Authenticate", "Bearer")
	}
	var c claims
	if _, err := a.parser.ParseWithClaims(strings.TrimSpace(token), &c, a.keys); err != nil {
		httpapi.Log(ctx).Info("token refused", "error", err.Error())
		return Token{}, InvalidToken("the token is invalid or has expired")
	}
	return Token{c.Subject, strings.Fields(c.Scope)}, nil
}

// InvalidToken returns the problem for a token that cannot be used.
func InvalidToken(detail string) *problem.Problem {
	return problem.Unauthenticated.New(detail).WithHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
}
