package config

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Port is one TCP port of the stack. All of them are on 127.0.0.1.
type Port struct {
	Name    string // what the rest of devstack calls it
	Default int
	Purpose string
	Program bool // one of the project's programs listens on it, so it is free with --services-only
}

// Variable is the environment variable that chooses the port.
func (p Port) Variable() string { return "DEVSTACK_PORT_" + p.Name }

// The names of the ports.
const (
	Postgres           = "POSTGRES"
	RabbitMQ           = "RABBITMQ"
	RabbitMQManagement = "RABBITMQ_MANAGEMENT"
	RabbitMQNode       = "RABBITMQ_NODE"
	RabbitMQNames      = "RABBITMQ_NAMES"
	RabbitMQMetrics    = "RABBITMQ_METRICS"
	MongoDB            = "MONGODB"
	Temporal           = "TEMPORAL"
	TemporalHTTP       = "TEMPORAL_HTTP"
	TemporalHistory    = "TEMPORAL_HISTORY"
	TemporalMatching   = "TEMPORAL_MATCHING"
	TemporalWorker     = "TEMPORAL_WORKER"
	TemporalUI         = "TEMPORAL_UI"
	TemporalMetrics    = "TEMPORAL_METRICS"
	API                = "API"
	Catalog            = "CATALOG"
	Worker             = "WORKER"
	Notifier           = "NOTIFIER"
	StripeSim          = "STRIPESIM"
)

// Ports lists every port of the stack.
var Ports = []Port{
	{Name: API, Default: 8080, Purpose: "api: orders over HTTP", Program: true},
	{Name: Catalog, Default: 4002, Purpose: "catalog: products and stock over HTTP", Program: true},
	{Name: Worker, Default: 4003, Purpose: "worker: probes and metrics", Program: true},
	{Name: Notifier, Default: 4004, Purpose: "notifier: probes, metrics and notifications", Program: true},
	{Name: StripeSim, Default: 12111, Purpose: "stripesim: payment gateway", Program: true},
	{Name: Postgres, Default: 15432, Purpose: "PostgreSQL"},
	{Name: RabbitMQ, Default: 15673, Purpose: "RabbitMQ (AMQP)"},
	{Name: RabbitMQManagement, Default: 15674, Purpose: "RabbitMQ management page and API"},
	{Name: RabbitMQNode, Default: 15675, Purpose: "RabbitMQ's own (Erlang distribution)"},
	{Name: RabbitMQNames, Default: 15676, Purpose: "RabbitMQ's own (Erlang port mapper)"},
	{Name: RabbitMQMetrics, Default: 15692, Purpose: "RabbitMQ: metrics for Prometheus"},
	{Name: MongoDB, Default: 27117, Purpose: "MongoDB protocol (FerretDB)"},
	{Name: Temporal, Default: 7233, Purpose: "Temporal (gRPC)"},
	{Name: TemporalHTTP, Default: 7243, Purpose: "Temporal (HTTP, for Nexus)"},
	{Name: TemporalHistory, Default: 7234, Purpose: "Temporal's own (history service)"},
	{Name: TemporalMatching, Default: 7235, Purpose: "Temporal's own (matching service)"},
	{Name: TemporalWorker, Default: 7239, Purpose: "Temporal's own (system workers)"},
	{Name: TemporalUI, Default: 8233, Purpose: "Temporal Web UI"},
	{Name: TemporalMetrics, Default: 8234, Purpose: "Temporal: metrics for Prometheus"},
}

// portsFrom returns the ports, with those that variables choose. The error names every wrong variable and every repeated port.
func portsFrom(chosen map[string]string) (map[string]int, error) {
	ports, owner, problems := map[string]int{}, map[int]string{}, []error(nil)
	for _, p := range Ports {
		number := p.Default
		if v := chosen[p.Variable()]; v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > 65535 {
				problems = append(problems, fmt.Errorf("%s=%s: not a port number (1 to 65535)", p.Variable(), v))
				continue
			}
			number = n
		}
		if other, taken := owner[number]; taken {
			problems = append(problems, fmt.Errorf("%s and %s are both %d", other, p.Variable(), number))
		}
		ports[p.Name], owner[number] = number, p.Variable()
	}
	return ports, errors.Join(problems...)
}

// CheckPortsFree returns an error that names every port in use and the variable that changes it. It checks the ports of the
// services, of the project's programs, or of both.
func (c Config) CheckPortsFree(services, programs bool) error {
	var problems []error
	for _, p := range Ports {
		if p.Program && !programs || !p.Program && !services {
			continue
		}
		err := portFree(c.Ports[p.Name])
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("port %d (%s) is in use: stop the program that listens there, or choose another port with %s",
				c.Ports[p.Name], p.Purpose, p.Variable())
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func portFree(number int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
	if err != nil {
		return err
	}
	return l.Close()
}

// FreePorts chooses a free port for everything. It stays below 32768, where the ports of outgoing connections begin on Linux:
// such a connection could take a port before its service listens.
func FreePorts() (map[string]int, error) {
	const from, to, attempts = 20000, 32000, 1000
	ports, used := map[string]int{}, map[int]bool{}
	for _, p := range Ports {
		for range attempts {
			n := from + rand.IntN(to-from)
			if !used[n] && portFree(n) == nil {
				ports[p.Name], used[n] = n, true
				break
			}
		}
		if ports[p.Name] == 0 {
			return nil, fmt.Errorf("no free port between %d and %d for %s", from, to, p.Purpose)
		}
	}
	return ports, nil
}
