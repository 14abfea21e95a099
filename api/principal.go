package api

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// The scopes of tokens. Either is enough for every operation; the principal decides which orders it may be about.
const (
	scopeOrders   = "orders"          // the user's own orders; the claim sub is the user's ID
	scopeOperator = "orders:operator" // all orders
)

const scopes = "Scope " + scopeOrders + ": the orders of the user in sub. Scope " + scopeOperator + ": all orders."

// principal is the sender of a request. The zero value may do nothing.
type principal struct {
	userID   int64 // 0: no single user
	all      bool  // may see and change all orders
	operator bool  // acts for the shop
}

func (p principal) sees(userID int64) bool { return p.all || p.userID == userID }

type principalKey struct{}

func principalOf(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// identify puts the principal into the request's context, or refuses the request. It runs after the authenticator's own
// middleware.
func identify(who *auth.Authenticator) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p := principal{all: true}
		if who.Enabled() {
			var refused *problem.Problem
			if p, refused = toPrincipal(auth.TokenOf(ctx.Context())); refused != nil {
				httpapi.Refuse(ctx, refused)
				return
			}
		}
		next(huma.WithValue(ctx, principalKey{}, p))
	}
}

func toPrincipal(t auth.Token) (principal, *problem.Problem) {
	if t.Has(scopeOperator) {
		return principal{all: true, operator: true}, nil
	}
	id, err := strconv.ParseInt(t.Subject, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != t.Subject { // "042" may be another user at the issuer
		return principal{}, auth.InvalidToken("the token's sub is not a user's ID")
	}
	return principal{userID: id}, nil
}

// limitUsers limits the requests of each user. Other requests are limited only by address.
func limitUsers(limiter *httpapi.Limiter) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if id := principalOf(ctx.Context()).userID; id != 0 {
			if p := limiter.Take(strconv.FormatInt(id, 10), humagin.Unwrap(ctx).Writer.Header()); p != nil {
				httpapi.Refuse(ctx, p)
				return
			}
		}
		next(ctx)
	}
}
