// Package embedded names the services that are Go modules and thus compiled into devstack: the Temporal server, its Web
// UI and FerretDB. Each runs as a process of its own, started by the supervisor as
//
//	devstack run-service NAME
//
// with the JSON of the service's settings in its environment, where other users cannot read them. What they do is in package engine, which is the only one that
// imports their modules: everything else compiles, and is tested, in seconds.
package embedded

// The names of the services.
const (
	FerretDB = "ferretdb"
	Temporal = "temporal"
	WebUI    = "temporal-ui"
)

// Command is the hidden command that runs one of them.
const Command = "run-service"

// SettingsVariable is the environment variable with its settings.
const SettingsVariable = "DEVSTACK_SERVICE_SETTINGS"

// FerretDBSettings say where FerretDB listens and which PostgreSQL with DocumentDB it works on.
type FerretDBSettings struct {
	PostgresURL string
	Listen      string // host:port
	StateDir    string // keeps the instance's ID
}

// TemporalSettings are for the Temporal server with all of its services in one process.
type TemporalSettings struct {
	ConfigFile string            // temporal-config/server.yaml
	Variables  map[string]string // that the configuration file asks for
}

// WebUISettings say where the Web UI listens and which Temporal it shows.
type WebUISettings struct {
	Host            string
	Port            int
	TemporalAddress string // host:port
}
