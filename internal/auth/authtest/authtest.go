// Package authtest makes tokens for tests.
package authtest

import (
	"maps"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ordersaga/ordersaga/internal/auth"
)

// Config accepts the tokens of this package.
var Config = auth.Config{Mode: auth.ModeJWT, Secret: "0123456789abcdef0123456789abcdef", Issuer: "https://issuer"}

// Environment is Config as a program's environment variables.
var Environment = []string{"AUTH_MODE=" + Config.Mode, "JWT_SECRET=" + Config.Secret, "JWT_ISSUER=" + Config.Issuer}

// Claims returns the claims of a token that Config accepts for the next hour, except for the audience. More adds and replaces
// claims; a nil value removes one.
func Claims(more map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": Config.Issuer, "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

// Token returns a signed token with Claims(more).
func Token(t testing.TB, more map[string]any) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, Claims(more)).SignedString([]byte(Config.Secret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}
