// Package embedded names the services that are Go modules and therefore compiled into devstack: the Temporal server, its Web UI
// and FerretDB. Each runs as a separate process, which the supervisor starts as
//
//	devstack run-service NAME
//
// with the JSON of the service's settings in its environment, where other users cannot read them. Only package engine imports
// their modules: everything else compiles and is tested in seconds.
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

// FerretDBSettings are FerretDB's address and its PostgreSQL with DocumentDB.
type FerretDBSettings struct {
	PostgresURL string
	Listen      string // host:port
	StateDir    string // keeps the instance's ID
}

// TemporalSettings are for the Temporal server, with all its services in one process.
type TemporalSettings struct {
	ConfigFile string            // temporal-config/server.yaml
	Variables  map[string]string // of the configuration file
}

// WebUISettings are the Web UI's address and its Temporal server.
type WebUISettings struct {
	Host            string
	Port            int
	TemporalAddress string // host:port
}
