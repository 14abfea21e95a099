// Package temporalclient is the door to Temporal: everything that programs know of it on the client's side.
//
//	c, err := temporalclient.Open(config.Temporal, log)
//	defer c.Close()
//	started, err := temporalclient.NewWorkflows(c, "orders").Start(ctx, request)
//
// Client is the connection. Its address and credentials come from the same variables that the temporal command and all of
// Temporal's SDKs understand (contrib/envconfig), so a local server, a server behind mutual TLS and Temporal Cloud differ by
// configuration only. Open does not connect. The first call does, and gRPC goes on reconnecting: a program starts while
// Temporal is down, and recovers when it is back.
//
// Workflows starts, cancels, describes and recovers the orders' workflows. Workflow IDs, policies, memos and timeouts are
// chosen here and nowhere else. Payloads that the SDK does not decode itself (memos, the input in a history) are decoded by
// the converter that Open was given, so a payload codec can be switched on in one place.
//
// Each start carries a trace, which tells what the call's error cannot: whether the request may have reached the server,
// and whether it was this call that started the workflow.
package temporalclient

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"go.opentelemetry.io/otel"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/grpc"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// DefaultAddress is the address unless a variable or a profile sets one.
const DefaultAddress = "127.0.0.1:7233"

// Config is the connection to Temporal. Every field may be empty.
type Config struct {
	Address        string `env:"TEMPORAL_ADDRESS" help:"host:port of Temporal; 127.0.0.1:7233 unless a profile sets it"`
	Namespace      string `env:"TEMPORAL_NAMESPACE" help:"Temporal namespace; \"default\" unless a profile says otherwise"`
	APIKey         string `env:"TEMPORAL_API_KEY" secret:"true" help:"API key of Temporal Cloud; switches TLS on"`
	TLS            string `env:"TEMPORAL_TLS" help:"true or false: TLS to Temporal"`
	TLSCert        string `env:"TEMPORAL_TLS_CLIENT_CERT_PATH" help:"file of the client certificate (PEM) for mutual TLS"`
	TLSKey         string `env:"TEMPORAL_TLS_CLIENT_KEY_PATH" help:"file of the client key (PEM) for mutual TLS"`
	TLSCA          string `env:"TEMPORAL_TLS_SERVER_CA_CERT_PATH" help:"file of the authority (PEM) of the server's certificate"`
	TLSServerName  string `env:"TEMPORAL_TLS_SERVER_NAME" help:"name in the server's certificate, if it is not the address's host"`
	TLSNoHostCheck string `env:"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION" help:"true: accept any certificate (tests only)"`
	ConfigFile     string `env:"TEMPORAL_CONFIG_FILE" help:"TOML file with connection profiles"`
	Profile        string `env:"TEMPORAL_PROFILE" help:"profile in that file, or in the user's own file when only this is set"`
}

// Validate reports a configuration that cannot connect.
func (c Config) Validate() error {
	_, err := c.options()
	return err
}

// options loads the profile, if one is set, and puts the other variables on top of it. Without TEMPORAL_CONFIG_FILE or
// TEMPORAL_PROFILE the user's own file is not read: it may point to another Temporal.
func (c Config) options() (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{
		DisableFile: c.ConfigFile == "" && c.Profile == "", ConfigFileStrict: true, EnvLookup: c,
	})
	if err != nil {
		return client.Options{}, fmt.Errorf("TEMPORAL_…: %w", err)
	}
	if options.HostPort == "" {
		options.HostPort = DefaultAddress
	}
	if _, _, err := net.SplitHostPort(options.HostPort); err != nil {
		return client.Options{}, fmt.Errorf("TEMPORAL_ADDRESS: want host:port: %w", err)
	}
	return options, nil
}

// LookupEnv lets envconfig read the configuration as if it were the environment.
func (c Config) LookupEnv(name string) (string, bool) {
	value := map[string]string{
		"TEMPORAL_ADDRESS": c.Address, "TEMPORAL_NAMESPACE": c.Namespace, "TEMPORAL_API_KEY": c.APIKey,
		"TEMPORAL_TLS": c.TLS, "TEMPORAL_TLS_CLIENT_CERT_PATH": c.TLSCert, "TEMPORAL_TLS_CLIENT_KEY_PATH": c.TLSKey,
		"TEMPORAL_TLS_SERVER_CA_CERT_PATH": c.TLSCA, "TEMPORAL_TLS_SERVER_NAME": c.TLSServerName,
		"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": c.TLSNoHostCheck,
		"TEMPORAL_CONFIG_FILE":                   c.ConfigFile, "TEMPORAL_PROFILE": c.Profile,
	}[name]
	return value, value != ""
}

// Environ is for envconfig's free-form variables. There are none.
func (c Config) Environ() []string { return nil }

// Option changes how Open connects.
type Option func(*client.Options)

// DataConverter sets what writes and reads every payload: inputs, results, memos. The default is the SDK's JSON in plain
// text; one with a codec encrypts it. All programs of a system need the same.
func DataConverter(dc converter.DataConverter) Option {
	return func(o *client.Options) { o.DataConverter = dc }
}

// Client is a connection to Temporal.
type Client struct {
	// SDK is for running workers. What programs do to workflows goes through Workflows.
	SDK client.Client

	converter converter.DataConverter // the SDK's client has the same and does not show it
}

// Open returns a client that connects when it is first used. The caller closes it. Logs of the SDK go to log, its metrics and
// traces to the process's providers (package telemetry).
func Open(c Config, log *slog.Logger, more ...Option) (*Client, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	options.DataConverter = converter.GetDefaultDataConverter()
	for _, set := range more {
		set(&options)
	}
	options.Logger = logger{log}
	options.Interceptors = []interceptor.ClientInterceptor{new(tracing)}
	options.MetricsHandler = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: otel.Meter(telemetry.TemporalMeter), UseMonotonicCounters: true,
		OnError: func(err error) { log.Warn("measure Temporal's client", "error", err.Error()) },
	})
	if loopback(options.HostPort) {
		options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{} // costs more than it saves
	}
	options.ConnectionOptions.DialOptions = []grpc.DialOption{
		grpc.WithStatsHandler(sentHandler{}), grpc.WithChainUnaryInterceptor(noteStart),
	}
	opened, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("client of Temporal at %s: %w", options.HostPort, err)
	}
	return &Client{SDK: opened, converter: options.DataConverter}, nil
}

// Close closes the connection.
func (c *Client) Close() { c.SDK.Close() }

// Check asks the server whether it serves; for readiness probes.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.SDK.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// NamespaceName is the namespace that a client opened with this configuration uses.
func (c Config) NamespaceName() string {
	options, err := c.options()
	if err != nil || options.Namespace == "" {
		return client.DefaultNamespace
	}
	return options.Namespace
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
