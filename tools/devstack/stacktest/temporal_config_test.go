package stacktest

import (
	"os"
	"testing"

	temporalconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
)

func TestTheTemporalServerUnderstandsItsConfiguration(t *testing.T) {
	for name, value := range map[string]string{
		"POSTGRES_SEEDS": "127.0.0.1", "POSTGRES_USER": "temporal", "POSTGRES_PWD": "temporal", "HISTORY_GRPC_PORT": "17234",
	} {
		t.Setenv(name, value)
	}
	c, err := temporalconfig.Load(temporalconfig.WithConfigFile("../../../temporal-config/server.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range c.Services {
		if service.RPC.BindOnIP != "127.0.0.1" {
			t.Errorf("%s listens on %q by default, want 127.0.0.1", name, service.RPC.BindOnIP)
		}
	}
	if port := c.Services["history"].RPC.GRPCPort; port != 17234 {
		t.Errorf("history is on port %d, want the one in the environment", port)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheServerKnowsEveryDynamicSetting(t *testing.T) {
	content, err := os.ReadFile("../../../temporal-config/dynamicconfig.yaml")
	if err != nil {
		t.Fatal(err)
	}
	loaded := dynamicconfig.LoadYamlFile(content)
	for _, err := range append(loaded.Errors, loaded.Warnings...) {
		t.Error(err)
	}
}
