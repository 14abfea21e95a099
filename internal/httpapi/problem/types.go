package problem

import "net/http"

// The types that every server answers. Programs add their own.
var (
	Malformed = Type{
		Name: "malformed-request", Status: http.StatusBadRequest, Title: "Malformed request",
		Advice: "The request cannot be read: broken JSON, a value of the wrong JSON type, a member given twice. Correct what errors points to. Repeating it as it is gives the same answer.",
	}
	Unauthenticated = Type{
		Name: "unauthenticated", Status: http.StatusUnauthorized, Title: "Not authenticated",
		Advice: "Send a valid token in the header Authorization: Bearer …. An expired token must be renewed first.",
	}
	Forbidden = Type{
		Name: "forbidden", Status: http.StatusForbidden, Title: "Not allowed",
		Advice: "The token is valid but does not grant this. Ask for the scope that detail names, or act for the user that the token is about.",
	}
	NotFound = Type{
		Name: "not-found", Status: http.StatusNotFound, Title: "No such resource",
		Advice: "There is nothing at this path. Check it against the documentation at /docs.",
	}
	MethodNotAllowed = Type{
		Name: "method-not-allowed", Status: http.StatusMethodNotAllowed, Title: "Method not allowed",
		Advice: "The path exists, the method does not. The header Allow lists those that do.",
	}
	RequestTimeout = Type{
		Name: "request-timeout", Status: http.StatusRequestTimeout, Title: "Request took too long",
		Advice: "The body did not arrive in time. Nothing was done. Send it again.",
	}
	TooLarge = Type{
		Name: "too-large", Status: http.StatusRequestEntityTooLarge, Title: "Request too large",
		Advice: "Send a smaller body; detail names the limit.",
	}
	UnsupportedMediaType = Type{
		Name: "unsupported-media-type", Status: http.StatusUnsupportedMediaType, Title: "Unsupported media type",
		Advice: "Send the body with the header Content-Type: application/json, uncompressed and in UTF-8.",
	}
	Invalid = Type{
		Name: "invalid-request", Status: http.StatusUnprocessableEntity, Title: "Invalid request",
		Advice: "The request can be read but breaks a rule of the documentation at /docs. Correct what errors points to. Repeating it as it is gives the same answer.",
	}
	TooMany = Type{
		Name: "too-many-requests", Status: http.StatusTooManyRequests, Title: "Too many requests",
		Advice: "Wait as long as the header Retry-After says, then send it again.",
	}
	Internal = Type{
		Name: "internal-error", Status: http.StatusInternalServerError, Title: "Internal error",
		Advice: "Our mistake. The request may have had an effect; repeat it only when repeating is safe. Quote instance when you ask for help.",
	}
	Unavailable = Type{
		Name: "unavailable", Status: http.StatusServiceUnavailable, Title: "Temporarily unavailable",
		Advice: "Something that the request needs is down. Nothing was done. Send it again after the time in the header Retry-After.",
	}
)

// Common lists the types that every server answers.
func Common() []Type {
	return []Type{
		Malformed, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, RequestTimeout, TooLarge,
		UnsupportedMediaType, Invalid, TooMany, Internal, Unavailable,
	}
}

// ForStatus returns the common type that is answered with an HTTP status; Internal when there is none.
func ForStatus(status int) Type {
	for _, t := range Common() {
		if t.Status == status {
			return t
		}
	}
	return Internal
}
