package worker

import (
	"errors"
	"fmt"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
)

// catalogToken is the worker's token for a catalog with AUTH_MODE=jwt.
type catalogToken struct {
	Token string `env:"CATALOG_TOKEN" secret:"true" help:"has the scope catalog:reservations; or set CATALOG_TOKEN_FILE"`
	File  string `env:"CATALOG_TOKEN_FILE" help:"file with the token, read for each call: it may change"`
}

func (t catalogToken) Validate() error {
	if t.Token != "" && t.File != "" {
		return errors.New("CATALOG_TOKEN, CATALOG_TOKEN_FILE: want one of them, not both")
	}
	_, err := t.source()
	return err
}

// source returns nil without a token.
func (t catalogToken) source() (catalogclient.TokenSource, error) {
	switch {
	case t.File != "":
		return catalogclient.TokenFile(t.File), nil
	case t.Token == "":
		return nil, nil
	}
	source, err := catalogclient.StaticToken(t.Token)
	if err != nil {
		return nil, fmt.Errorf("CATALOG_TOKEN: %w", err)
	}
	return source, nil
}
