package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

func TestWrongConfigurationIsNamedByItsVariable(t *testing.T) {
	t.Parallel()
	base := []string{"DATABASE_URL=postgres://u:hunter2@db/orders", "AUTH_MODE=none"}
	jwt := []string{"AUTH_MODE=jwt", "JWT_ISSUER=https://issuer"}
	for name, test := range map[string]struct {
		set  []string
		want string // "" for a right one
	}{
		"least":                       {nil, ""},
		"shared secret":               {append(jwt, "JWT_SECRET="+withTokens.Secret), ""},
		"key set":                     {append(jwt, "JWKS_URL=https://issuer/keys"), ""},
		"unknown mode":                {[]string{"AUTH_MODE=maybe"}, "AUTH_MODE"},
		"neither secret nor key set":  {jwt, "JWT_SECRET"},
		"both":                        {append(jwt, "JWT_SECRET="+withTokens.Secret, "JWKS_URL=https://issuer/keys"), "not both"},
		"short secret":                {append(jwt, "JWT_SECRET=hunter2"), "JWT_SECRET"},
		"no issuer":                   {[]string{"AUTH_MODE=jwt", "JWT_SECRET=" + withTokens.Secret}, "JWT_ISSUER"},
		"key set not a URL":           {append(jwt, "JWKS_URL=keys.json"), "JWKS_URL"},
		"Web UI not a URL":            {[]string{"TEMPORAL_UI_URL=localhost:8233"}, "TEMPORAL_UI_URL"},
		"catalog not a URL":           {[]string{"PAGE_CATALOG_URL=catalog:4002"}, "PAGE_CATALOG_URL"},
		"a guessable webhook secret":  {[]string{"STRIPE_WEBHOOK_SECRET=x"}, "STRIPE_WEBHOOK_SECRET"},
		"a short webhook secret":      {[]string{"STRIPE_WEBHOOK_SECRET=whsec_hunter2"}, "STRIPE_WEBHOOK_SECRET"},
		"a webhook secret":            {[]string{"STRIPE_WEBHOOK_SECRET=whsec_hunter2hunter2hu"}, ""},
		"a negative cancel window":    {[]string{"CANCEL_WINDOW=-1h"}, "CANCEL_WINDOW"},
		"card number as the default":  {[]string{"DEFAULT_PAYMENT_METHOD=4242424242424242"}, "DEFAULT_PAYMENT_METHOD"},
		"Temporal's address no port":  {[]string{"TEMPORAL_ADDRESS=temporal"}, "TEMPORAL_ADDRESS"},
		"several mistakes, all named": {[]string{"AUTH_MODE=maybe", "TEMPORAL_ADDRESS=temporal"}, "TEMPORAL_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := env.Parse[Config](append(base[:2:2], test.set...))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v shows a secret", err)
			}
		})
	}
}

func TestHelpListsEveryVariable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := program.Execute(t.Context(), "api", "orders over HTTP", []string{"--help"}, nil, &out, &out,
		func(context.Context, Config, *slog.Logger) error { return errors.New("was run") })
	for _, name := range []string{"API_ADDR", "DATABASE_URL", "TASK_QUEUE", "AUTH_MODE", "JWT_SECRET", "TEMPORAL_ADDRESS", "TEMPORAL_TLS"} {
		if !strings.Contains(out.String(), "\n  "+name+" ") {
			t.Errorf("--help (exit %d) lacks %s", code, name)
		}
	}
}

func TestSagaLinkNamesTheNamespace(t *testing.T) {
	t.Parallel()
	c := Config{TemporalUIURL: "http://127.0.0.1:8233/"}
	want := "http://127.0.0.1:8233/namespaces/default/workflows/order-" + string(keyed)
	if got := c.sagaURL()(keyed); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
