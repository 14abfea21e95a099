package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

// apiError is an error response in Stripe's words.
type apiError struct {
	status int  // HTTP
	stored bool // the call had begun, so the response is kept under the idempotency key
	body   errorBody
}

// errorBody is Stripe's error object.
type errorBody struct {
	Charge        string         `json:"charge,omitempty"`
	Code          string         `json:"code,omitempty"`
	DeclineCode   string         `json:"decline_code,omitempty"`
	DocURL        string         `json:"doc_url,omitempty"`
	Message       string         `json:"message"`
	Param         string         `json:"param,omitempty"`
	PaymentIntent *intentObject  `json:"payment_intent,omitempty"`
	PaymentMethod *paymentMethod `json:"payment_method,omitempty"`
	Type          string         `json:"type"`
}

// paymentMethod describes the method that was declined.
type paymentMethod struct {
	ID     string `json:"id"`
	Object string `json:"object"`
	Type   string `json:"type"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%d %s %s: %s", e.status, e.body.Type, e.body.Code, e.body.Message)
}

func (e *apiError) response() response {
	body, err := json.MarshalIndent(map[string]errorBody{"error": e.body}, "", "  ")
	if err != nil {
		panic(err) // the body consists of strings and numbers
	}
	return response{status: e.status, body: body}
}

// invalid rejects a wrong parameter: the call never began.
func invalid(param, code, format string, args ...any) *apiError {
	e := refused(code, format, args...)
	e.stored, e.body.Param = false, param
	return e
}

// missing rejects a call without a required parameter.
func missing(param string) *apiError {
	return invalid(param, "parameter_missing", "Missing required param: %s.", param)
}

// refused rejects a call that the state does not allow, for example because the intent is cancelled.
func refused(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, stored: true, body: errorBody{
		Type: "invalid_request_error", Code: code, Message: fmt.Sprintf(format, args...), DocURL: docURL(code),
	}}
}

// notFound says that an object does not exist: with status 404 if its ID is in the path, 400 if it is in a parameter.
func notFound(status int, param, kind, id string) *apiError {
	e := refused("resource_missing", "No such %s: '%s'", kind, id)
	e.status, e.body.Param = status, param
	return e
}

// broken is a 500 of the gateway itself.
func broken(stored bool) *apiError {
	return &apiError{status: http.StatusInternalServerError, stored: stored, body: errorBody{
		Type: "api_error", Message: "An unknown error occurred",
	}}
}

func keyInUse() *apiError {
	return &apiError{status: http.StatusConflict, body: errorBody{
		Type: "invalid_request_error", Code: "idempotency_key_in_use",
		Message: "There is currently another in-progress request using this Idempotent Key (that probably means you submitted " +
			"twice, and the other request is still going through). Please try again later.",
	}}
}

func keyReused(key string) *apiError {
	return &apiError{status: http.StatusBadRequest, body: errorBody{
		Type: "idempotency_error",
		Message: fmt.Sprintf("Keys for idempotent requests can only be used with the same parameters they were first used with. "+
			"Try using a key other than '%s' if you meant to execute a different request.", key),
	}}
}

func docURL(code string) string {
	if code == "" {
		return ""
	}
	return "https://docs.stripe.com/error-codes#" + code
}

func unrecognized(c *gin.Context) {
	writeError(c, &apiError{status: http.StatusNotFound, body: errorBody{
		Type: "invalid_request_error",
		Message: fmt.Sprintf("Unrecognized request URL (%s: %s). This simulator only knows payment intents, refunds and disputes.",
			c.Request.Method, c.Request.URL.Path),
	}})
}

func writeError(c *gin.Context, e *apiError) {
	c.Abort()
	c.Data(e.status, "application/json", e.response().body)
}
