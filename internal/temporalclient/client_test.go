package temporalclient_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

func TestAWrongConfigurationIsNamedByItsVariable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config temporalclient.Config
		want   string // "" for a right one
	}{
		"nothing set":          {temporalclient.Config{}, ""},
		"only an address":      {temporalclient.Config{Address: "temporal:7233"}, ""},
		"Temporal Cloud":       {temporalclient.Config{Address: "ns.acct.tmprl.cloud:7233", Namespace: "ns.acct", APIKey: "key"}, ""},
		"address without port": {temporalclient.Config{Address: "temporal"}, "TEMPORAL_ADDRESS"},
		"missing certificate":  {temporalclient.Config{TLSCert: "/nothing/cert.pem", TLSKey: "/nothing/key.pem"}, "TEMPORAL_"},
		"missing profile":      {temporalclient.Config{ConfigFile: "/nothing/temporal.toml", Profile: "cloud"}, "TEMPORAL_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.config.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestVariablesGoBeforeTheProfile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte("[profile.mine]\naddress = \"elsewhere:1\"\nnamespace = \"theirs\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := temporalclient.Config{ConfigFile: file, Profile: "mine"}
	if got := c.NamespaceName(); got != "theirs" {
		t.Errorf("got namespace %q of the profile, want theirs", got)
	}
	c.Namespace = "ours"
	if got := c.NamespaceName(); got != "ours" {
		t.Errorf("got namespace %q, want that of the variable", got)
	}
	if got := (temporalclient.Config{}).NamespaceName(); got != "default" {
		t.Errorf("got namespace %q, want default", got)
	}
}
