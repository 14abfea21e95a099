package stripesim

import (
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/env"
)

func TestEveryMistakeInTheConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	_, err := env.Parse[Config]([]string{
		"STRIPESIM_DATABASE_URL=x", "STRIPESIM_API_KEY=k", "STRIPESIM_DECLINE_RATE=1.5", "STRIPESIM_LATENCY=1h",
		"STRIPESIM_SEARCH_DELAY=-1s", "STRIPESIM_WEBHOOK_URL=somewhere",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"STRIPESIM_DECLINE_RATE", "STRIPESIM_LATENCY", "STRIPESIM_SEARCH_DELAY", "STRIPESIM_WEBHOOK_URL", "STRIPESIM_WEBHOOK_SECRET"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
}

func TestTheDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, err := env.Parse[Config]([]string{"STRIPESIM_DATABASE_URL=postgres://host/ledger", "STRIPESIM_API_KEY=k"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:12111" || c.DeclineRate != 0 {
		t.Errorf("defaults: %+v", c)
	}
}
