package auth

import (
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// scheme is the name of the security scheme in the documentation.
const scheme = "token"

// Schemes documents how to authenticate. The text explains the scopes, in Markdown.
func (a *Authenticator) Schemes(scopes string) map[string]*huma.SecurityScheme {
	if !a.Enabled() {
		return nil
	}
	return map[string]*huma.SecurityScheme{scheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: scopes}}
}

// Require makes the operation require a token with one of the scopes. The least powerful scope comes first.
func (a *Authenticator) Require(op huma.Operation, scopes ...string) huma.Operation {
	if !a.Enabled() {
		return op
	}
	for _, s := range scopes {
		op.Security = append(op.Security, map[string][]string{scheme: {s}})
	}
	return describe(op, "Needs a token with the scope `"+strings.Join(scopes, "` or `")+"`.")
}

// Public makes the operation open to every client. It ignores a token.
func (a *Authenticator) Public(op huma.Operation) huma.Operation {
	if !a.Enabled() {
		return op
	}
	op.Security = []map[string][]string{}
	return describe(op, "Needs no token.")
}

func describe(op huma.Operation, sentence string) huma.Operation {
	op.Description = strings.TrimSpace(op.Description + "\n\n" + sentence)
	return op
}

// Middleware passes on requests that satisfy their operation's security, with their token (TokenOf). Without a valid token
// the response is 401, without the scope 403.
func (a *Authenticator) Middleware(ctx huma.Context, next func(huma.Context)) {
	security := ctx.Operation().Security
	public := security != nil && len(security) == 0
	if !a.Enabled() || public {
		next(ctx)
		return
	}
	var token Token
	var refused *problem.Problem
	if headers := humagin.Unwrap(ctx).Request.Header.Values("Authorization"); len(headers) > 1 {
		refused = InvalidToken("the header Authorization is given more than once") // a proxy may have checked the other
	} else {
		token, refused = a.token(ctx.Context(), ctx.Header("Authorization"))
	}
	if refused == nil {
		refused = lacking(token, security)
	}
	if refused != nil {
		httpapi.Refuse(ctx, refused)
		return
	}
	next(huma.WithValue(ctx, tokenKey{}, token))
}

// lacking returns a problem if the token satisfies none of the requirements.
func lacking(t Token, security []map[string][]string) *problem.Problem {
	var wanted []string
	for _, requirement := range security {
		wanted = append(wanted, requirement[scheme]...)
	}
	switch {
	case slices.ContainsFunc(wanted, t.Has):
		return nil
	case len(wanted) == 0:
		return problem.Forbidden.New("no token allows this")
	}
	return problem.Forbidden.New("the token lacks the scope %s", wanted[0]).
		WithHeader("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+wanted[0]+`"`)
}
