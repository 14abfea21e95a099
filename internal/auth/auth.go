// Package auth authenticates requests by the JSON Web Token in the header Authorization, and authorizes them by the token's
// scopes. Each operation requires a scope or is public:
//
//	who := auth.New(c.Auth, c.Audience, log)
//	go who.Run(ctx)
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
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

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
	secret jwt.Keyfunc // of a shared secret; nil: the keys are in set
	set    *keySet     // nil without a key server
	parser *jwt.Parser // nil: no tokens are required
	claims *jwt.Validator
}

// New returns an authenticator for tokens with the audience. With a key server it needs Run.
func New(c Config, audience string, log *slog.Logger) *Authenticator {
	if c.Mode == ModeNone {
		log.Warn("AUTH_MODE=none: there is no authentication; every client that reaches this address may do everything")
		return &Authenticator{}
	}
	claims := []jwt.ParserOption{
		jwt.WithIssuer(c.Issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway),
	}
	a, algorithms := &Authenticator{claims: jwt.NewValidator(claims...)}, sharedAlgorithms
	if c.JWKSURL == "" {
		a.secret = func(*jwt.Token) (any, error) { return []byte(c.Secret), nil }
	} else {
		a.set, algorithms = newKeySet(fetchKeys(c.JWKSURL, log), log), keySetAlgorithms
	}
	a.parser = jwt.NewParser(append(claims, jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding())...)
	return a
}

// Run fetches the keys from the key server, if there is one, and keeps them up to date until ctx is done.
func (a *Authenticator) Run(ctx context.Context) {
	if a.set != nil {
		a.set.run(ctx)
	}
}

// Ready returns an error while there are no keys to check tokens with. It is a httpserver.Check.
func (a *Authenticator) Ready(context.Context) error {
	if a.set == nil {
		return nil
	}
	return a.set.ready()
}

// Enabled reports whether tokens are required.
func (a *Authenticator) Enabled() bool { return a.parser != nil }

// Token holds the claims of a valid token.
type Token struct {
	Subject string    // the claim sub
	Scopes  []string  // the claim scope, split at spaces
	Until   time.Time // when requests with the token begin to be refused
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
	c, err := a.parse(ctx, strings.TrimSpace(token))
	switch {
	case errors.Is(err, errKeys):
		httpapi.Log(ctx).Warn("a token cannot be checked", "error", err.Error())
		return Token{}, problem.Unavailable.New("tokens cannot be checked at the moment").RetryAfter(2 * fetchPause)
	case err != nil:
		httpapi.Log(ctx).Info("token refused", "error", err.Error())
		return Token{}, InvalidToken("the token is invalid or has expired")
	}
	return Token{c.Subject, strings.Fields(c.Scope), c.ExpiresAt.Add(leeway)}, nil
}

// parse returns the claims of a valid token. It returns errKeys if whether it is valid depends on keys that are not known.
func (a *Authenticator) parse(ctx context.Context, token string) (claims, error) {
	if a.set == nil {
		return a.verify(token, a.secret)
	}
	arrived := time.Now()
	keys, began := a.set.known()
	c, err := a.verify(token, keys)
	if !errors.Is(err, errUnknownKey) {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	for errors.Is(err, errUnknownKey) && !began.After(arrived) { // the key may be newer than the set
		if keys, began, err = a.set.next(ctx, began); err != nil {
			return claims{}, err
		}
		c, err = a.verify(token, keys)
	}
	return c, err
}

// verify checks a token with the keys of one moment. It returns errUnknownKey only if other keys could make it valid.
func (a *Authenticator) verify(token string, keys jwt.Keyfunc) (claims, error) {
	var c claims
	t, err := a.parser.ParseWithClaims(token, &c, keys)
	unknown := errors.Is(err, errUnknownKey)
	if a.set != nil && errors.Is(err, jwt.ErrTokenSignatureInvalid) && slices.Contains(keySetAlgorithms, t.Method.Alg()) {
		_, named := t.Header["kid"]
		unknown = !named // no key in the set fits
	}
	if !unknown {
		return c, err
	}
	if wrong := a.claims.Validate(c); wrong != nil {
		return claims{}, wrong
	}
	return claims{}, fmt.Errorf("%w: %w", errUnknownKey, err)
}

// InvalidToken returns the problem for a token that cannot be used.
func InvalidToken(detail string) *problem.Problem {
	return problem.Unauthenticated.New(detail).WithHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
}
