// Package httpapi is how this system's programs speak HTTP: huma (types, validation, OpenAPI 3.1) on gin, set up once
// so that every program is equally strict and answers errors in the same words.
//
//	api := httpapi.New(httpapi.Config{Title: "Orders", Version: "1", Log: log, Checks: checks})
//	httpapi.Register(api, huma.Operation{Method: "GET", Path: "/orders/{id}", OperationID: "getOrder"}, getOrder, orderNotFound)
//	err := httpserver.Serve(ctx, addr, api, log)
//
// What a request goes through, from the outside in:
//
//	request ID ─▶ access log ─▶ recovery ─▶ security headers ─▶ router ─▶ strictness ─▶ body ≤ 64 KiB ─▶ JSON ─▶ schema ─▶ handler
//	                                             │ 500               │ 404, 405  │ 415, 413   │ 413, 408     │ 400    │ 422
//	                                             └───────────────────┴───────────┴────────────┴──────────────┴────────┴──▶ problem+json
//
// An Edge puts two more before the router, for programs that the world may reach: other origins in browsers, and a rate
// limit by address (429).
//
// Strict means: what a client sends is either understood completely or refused. Unknown members and query parameters,
// members or parameters given twice, empty parameters, names in another case, data after the JSON value, invalid UTF-8,
// bodies without or with another content type than the operation's: all refused, with a pointer to what is wrong. Wrong
// JSON and wrong JSON types are 400 malformed-request; values that break a rule of the schema are 422 invalid-request.
//
// Package auth says for each operation who may call it: it answers 401 and 403, before strictness.
//
// Every error is a problem.Problem (RFC 9457) with a type that never changes, and with the request's ID as its
// instance. Handlers return problems of declared types; any other error that a handler returns, and every panic, is
// logged with the request's ID and answered as internal-error without a word of its text.
//
// Every program serves, besides its own paths: /docs (for people, without a CDN), /openapi.json and /openapi.yaml,
// /problems (what every type means and what to do), /livez and /readyz.
//
// huma keeps the making of errors and the casing rule in global variables. Importing this package sets them for the
// process; nothing else may.
package httpapi
