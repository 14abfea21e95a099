package gateway

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// authenticate demands the API key as bearer token.
func (g *Gateway) authenticate(c *gin.Context) {
	c.Header("Request-Id", newID("req"))
	key, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
	if ok && subtle.ConstantTimeCompare([]byte(key), []byte(g.options.APIKey)) == 1 {
		return
	}
	message := "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth."
	if ok {
		message = "Invalid API Key provided." // Stripe shows parts of the key, which would help no one here
	}
	c.Header("WWW-Authenticate", `Bearer realm="Stripe"`)
	writeError(c, &apiError{status: http.StatusUnauthorized, body: errorBody{Type: "invalid_request_error", Message: message}})
}
