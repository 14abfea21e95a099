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

// minSecret is the minimum length of the shared secret in bytes: the length of the hash (RFC 7518, section 3.2).
const minSecret = 32

// Config says which tokens are valid. Their audience is not part of it: each program has its own and passes it to New.
type Config struct {
	Mode    string `env:"AUTH_MODE,notEmpty" help:"jwt: clients need a token; none: every client may do everything"`
	Secret  string `env:"JWT_SECRET" secret:"true" help:"shared secret of HS256 tokens, at least 32 bytes; or set JWKS_URL"`
	JWKSURL string `env:"JWKS_URL" form:"url" help:"URL of the JSON Web Key Set that signs tokens; or set JWT_SECRET"`
	Issuer  string `env:"JWT_ISSUER" help:"the required iss of tokens; required with AUTH_MODE=jwt"`
}

// Validate reports contradictions between variables.
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
