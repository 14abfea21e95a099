package problem

import "net/http"

// The types that every server uses. Programs add their own.
var (
	Malformed = Type{
		Name: "malformed-request", Status: http.StatusBadRequest, Title: "Malformed request",
		Advice: "The request cannot be read: broken JSON, a value of the wrong JSON type or a repeated member. " +
			"Correct the places in errors. Repeating the same request does not help.",
	}
	Unauthenticated = Type{
		Name: "unauthenticated", Status: http.StatusUnauthorized, Title: "Not authenticated",
		Advice: "Send a valid token in the header Authorization: Bearer …. Renew an expired token first.",
	}
	Forbidden = Type{
		Name: "forbidden", Status: http.StatusForbidden, Title: "Not allowed",
		Advice: "The token is valid but does not allow this. Get a token with the scope in detail, or act as the token's user.",
	}
	NotFound = Type{
		Name: "not-found", Status: http.StatusNotFound, Title: "No such resource",
		Advice: "There is nothing at this path. The documentation at /docs lists the paths.",
	}
	MethodNotAllowed = Type{
		Name: "method-not-allowed", Status: http.StatusMethodNotAllowed, Title: "Method not allowed",
		Advice: "The path exists but not with this method. The header Allow lists its methods.",
	}
	RequestTimeout = Type{
		Name: "request-timeout", Status: http.StatusRequestTimeout, Title: "Request took too long",
		Advice: "The body did not arrive in time, and the request had no effect. Send it again.",
	}
	TooLarge = Type{
		Name: "too-large", Status: http.StatusRequestEntityTooLarge, Title: "Request too large",
		Advice: "Send a smaller body. The limit is in detail.",
	}
	UnsupportedMediaType = Type{
		Name: "unsupported-media-type", Status: http.StatusUnsupportedMediaType, Title: "Unsupported media type",
		Advice: "Send the body with the header Content-Type: application/json, uncompressed and in UTF-8.",
	}
	Invalid = Type{
		Name: "invalid-request", Status: http.StatusUnprocessableEntity, Title: "Invalid request",
		Advice: "The request breaks a rule of the documentation at /docs. Correct the places in errors. " +
			"Repeating the same request does not help.",
	}
	TooMany = Type{
		Name: "too-many-requests", Status: http.StatusTooManyRequests, Title: "Too many requests",
		Advice: "Wait for the number of seconds in the header Retry-After, then send the request again.",
	}
	Internal = Type{
		Name: "internal-error", Status: http.StatusInternalServerError, Title: "Internal error",
		Advice: "The mistake is ours. The request may have had an effect, so repeat it only if that is safe. " +
			"Quote instance when you ask for help.",
	}
	Unavailable = Type{
		Name: "unavailable", Status: http.StatusServiceUnavailable, Title: "Temporarily unavailable",
		Advice: "A service that the request needs is down, and the request had no effect. " +
			"Send it again after the number of seconds in the header Retry-After.",
	}
)

// Common lists the types that every server uses.
func Common() []Type {
	return []Type{
		Malformed, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, RequestTimeout, TooLarge,
		UnsupportedMediaType, Invalid, TooMany, Internal, Unavailable,
	}
}

// ForStatus returns the common type with an HTTP status, or Internal if there is none.
func ForStatus(status int) Type {
	for _, t := range Common() {
		if t.Status == status {
			return t
		}
	}
	return Internal
}
