package auth

import (
	"errors"
	"fmt"
)

// The ways to authenticate.
const (
	ModeNone = "none"
	ModeJWT  = "jwt"
)

// minSecret is the shortest shared secret, in bytes: as long as the hash (RFC 7518, 3.2).
const minSecret = 32

// Config says which tokens are valid. What must be in their claim aud is not in here, because each program has another
// name: it gives it to New.
type Config struct {
	Mode    string `env:"AUTH_MODE,required,notEmpty" help:"jwt: tokens say who may do what; none: everybody may do everything (said in the log)"`
	Secret  string `env:"JWT_SECRET" secret:"true" help:"shared secret of HS256 tokens, 32 bytes or more; or else JWKS_URL"`
	JWKSURL string `env:"JWKS_URL" form:"http://host/path" help:"URL of the JSON Web Key Set that tokens are signed by; or else JWT_SECRET"`
	Issuer  string `env:"JWT_ISSUER" help:"what a token's iss must be; required with AUTH_MODE=jwt"`
}

// Validate reports what no single variable shows.
func (c Config) Validate() error {
	switch c.Mode {
	case ModeNone:
		return nil
	case ModeJWT:
	default:
		return fmt.Errorf("AUTH_MODE: want %s or %s", ModeJWT, ModeNone)
	}
	var errs []error
	if (c.Secret == "") == (c.JWKSURL == "") {
		errs = append(errs, errors.New("JWT_SECRET, JWKS_URL: AUTH_MODE=jwt needs one of them, and not both"))
	}
	if c.Secret != "" && len(c.Secret) < minSecret {
		errs = append(errs, fmt.Errorf("JWT_SECRET: want %d bytes or more", minSecret))
	}
	if c.Issuer == "" {
		errs = append(errs, errors.New("JWT_ISSUER: required with AUTH_MODE=jwt"))
	}
	return errors.Join(errs...)
}
