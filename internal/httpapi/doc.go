// Package httpapi is the HTTP side of this system's programs: huma (types, validation, OpenAPI 3.1) on gin, set up once, so
// that every program is equally strict and describes errors in the same words.
//
//	api := httpapi.New(httpapi.Config{Title: "Orders", Version: "1", Log: log, Checks: checks})
//	httpapi.Register(api, huma.Operation{Method: "GET", Path: "/orders/{id}", OperationID: "getOrder"}, getOrder, orderNotFound)
//	api.Describe(httpapi.Texts{Fields: map[string]string{"getOrder.id": "The order's ID."}})
//	err := httpserver.Serve(ctx, addr, c.TLS, api, log)
//
// A request passes these stages, from the outside in:
//
//	request ID ▶ access log ▶ recovery ▶ security headers ▶ router ▶ query ▶ media type ▶ body ≤ 64 KiB ▶ JSON ▶ schema ▶ handler
//	                           │ 500                        │ 404,    │ 400,   │ 415       │ 413, 408     │ 400    │ 422
//	                           │                            │ 405     │ 422    │           │              │        │
//	                           └────────────────────────────┴─────────┴────────┴───────────┴──────────────┴────────┴▶ problem+json
//
// An Edge adds two stages before the router, for programs that are reachable from the Internet: access for pages of other
// origins, and a rate limit by address (429).
//
// The package is strict: it either understands a request completely or rejects it. It rejects unknown, repeated and empty
// parameters, unknown and repeated members, names in another case, data after the JSON value, invalid UTF-8, and bodies
// without the operation's content type, and points to the mistake. Broken JSON and values of the wrong JSON type are 400
// malformed-request; values that break a rule of the schema are 422 invalid-request.
//
// Package auth decides for each operation who may call it. It returns 401 and 403, before the query is checked.
//
// Every error is a problem.Problem (RFC 9457) with a type that never changes and the request's ID as its instance.
// Handlers return problems of declared types. Any other error of a handler, and every panic, is logged with the request's ID;
// the client sees internal-error without the error's text.
//
// Besides its own paths every program serves /docs (for people, without a CDN), /openapi.json and /openapi.yaml, /problems
// (what every type means and how to solve it), /livez and /readyz.
//
// huma keeps its error constructor and its casing rule in global variables. Importing this package sets them for the whole
// process; nothing else may set them.
package httpapi
