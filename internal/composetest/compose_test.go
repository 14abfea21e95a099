package composetest

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../.." // the checkout

// file is the part of docker-compose.yml that the tests read.
type file struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
	Configs  map[string]any     `yaml:"configs"`
}

type service struct {
	Image       string                                `yaml:"image"`
	Build       string                                `yaml:"build"`
	Entrypoint  []string                              `yaml:"entrypoint"`
	Command     []string                              `yaml:"command"`
	Profiles    []string                              `yaml:"profiles"`
	Environment map[string]string                     `yaml:"environment"`
	Ports       []string                              `yaml:"ports"`
	Volumes     []string                              `yaml:"volumes"`
	Configs     []struct{ Source, Target string }     `yaml:"configs"`
	Restart     string                                `yaml:"restart"`
	Healthcheck *struct{ Test []string }              `yaml:"healthcheck"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

// program returns the name of the project's program that the service runs, or "" for other images.
func (s service) program() string {
	command := slices.Concat(s.Entrypoint, s.Command)
	if s.Build == "" || len(command) == 0 {
		return ""
	}
	return filepath.Base(command[0])
}

// oneShot reports whether the service exits when its work is done.
func (s service) oneShot() bool { return strings.HasPrefix(s.Restart, "on-failure") }

// onDemand reports whether the service is started only by `docker compose run`.
func (s service) onDemand() bool { return slices.Contains(s.Profiles, "ops") }

// observes reports whether the service only watches the others. devstack has no such services.
func (s service) observes() bool { return slices.Contains(s.Profiles, "observe") }

// programs are the required services, by the names of their programs.
var programs = []string{"api", "catalog", "notifier", "ops", "stripesim", "worker"}

func read(t *testing.T) file {
	t.Helper()
	var f file
	if err := yaml.Unmarshal(contents(t, "docker-compose.yml"), &f); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return f
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryProgramIsAService(t *testing.T) {
	t.Parallel()
	var found []string
	for name, s := range read(t).Services {
		if p := s.program(); p != "" {
			found = append(found, p)
			if p != name {
				t.Errorf("service %s runs %s", name, p)
			}
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, programs) {
		t.Errorf("services run the programs %v, want %v", found, programs)
	}
}

func TestEveryVariableIsKnownToItsProgram(t *testing.T) {
	t.Parallel()
	usage := usages(t)
	for name, s := range read(t).Services {
		if s.program() == "" {
			continue
		}
		known := usage[s.program()]
		for variable := range s.Environment {
			if _, ok := known[variable]; !ok {
				t.Errorf("%s: %s is not a variable of %s (see its --help)", name, variable, s.program())
			}
		}
		for variable, def := range known {
			if _, set := s.Environment[variable]; def == "(required)" && !set {
				t.Errorf("%s: %s is required and not set", name, variable)
			}
		}
	}
}

func TestProgramsArePublishedAndProbedOnTheirPorts(t *testing.T) {
	t.Parallel()
	usage := usages(t)
	for name, s := range read(t).Services {
		if s.program() == "" || s.onDemand() {
			continue
		}
		address := strings.ToUpper(name) + "_ADDR"
		_, port, err := net.SplitHostPort(s.Environment[address])
		if err != nil {
			t.Errorf("%s: %s: %v", name, address, err)
		}
		if _, want, _ := net.SplitHostPort(usage[name][address]); port != want {
			t.Errorf("%s listens on port %s, everywhere else on %s", name, port, want)
		}
		if want := []string{"127.0.0.1:" + port + ":" + port}; !slices.Equal(s.Ports, want) {
			t.Errorf("%s publishes %v, want %v", name, s.Ports, want)
		}
		probe := []string{"CMD", "/usr/local/bin/healthcheck", "http://127.0.0.1:" + port + "/readyz"}
		if s.Healthcheck == nil || !slices.Equal(s.Healthcheck.Test, probe) {
			t.Errorf("%s is probed by %v, want %v", name, s.Healthcheck, probe)
		}
	}
}

// usages returns the programs' variables with their defaults.
func usages(t *testing.T) map[string]map[string]string {
	t.Helper()
	all, err := readUsages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// readUsages builds the programs, once for all tests, and runs them with --help.
var readUsages = sync.OnceValues(func() (map[string]map[string]string, error) {
	bin, err := os.MkdirTemp("", "compose")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-ldflags=-s -w", "-o", bin + "/"}
	for _, p := range programs {
		args = append(args, "./cmd/"+p)
	}
	build := exec.Command("go", args...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	all := map[string]map[string]string{}
	for _, p := range programs {
		out, err := exec.Command(filepath.Join(bin, p), "--help").Output()
		if err != nil {
			return nil, fmt.Errorf("%s --help: %w", p, err)
		}
		all[p] = variables(out)
	}
	return all, nil
})

// variables reads the table of --help: name, default, meaning.
func variables(help []byte) map[string]string {
	row := regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+) +(\S+)`)
	found := map[string]string{}
	for _, m := range row.FindAllSubmatch(help, -1) {
		found[string(m[1])] = string(m[2])
	}
	return found
}

func TestHelpIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	got := variables([]byte("x: y\n\nEnvironment variables (name, default, meaning):\n\n" +
		"  API_ADDR      127.0.0.1:8080  where\n  DATABASE_URL  (required)      which\n"))
	want := map[string]string{"API_ADDR": "127.0.0.1:8080", "DATABASE_URL": "(required)"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// usualPorts are the ports on which other images listen.
var usualPorts = map[string][]string{
	"postgres": {"5432"}, "mongodb": {"27017"}, "rabbitmq": {"5672", "15672"}, "temporal": {"7233"},
	"temporal-ui": {"8080"},
}

// published are their ports on this machine, with devstack and with Docker Compose.
var published = map[string][]string{
	"postgres":    {"127.0.0.1:15432:5432"},
	"mongodb":     {"127.0.0.1:27117:27017"},
	"rabbitmq":    {"127.0.0.1:15673:5672", "127.0.0.1:15674:15672"},
	"temporal":    {"127.0.0.1:7233:7233"},
	"temporal-ui": {"127.0.0.1:8233:8080"},
}

func TestServicesArePublishedOnTheLoopbackInterfaceOnTheirPorts(t *testing.T) {
	t.Parallel()
	defaults := string(contents(t, "tools/devstack/internal/config/ports.go"))
	owner := map[string]string{}
	for name, s := range read(t).Services {
		if want, ok := published[name]; ok && !slices.Equal(s.Ports, want) {
			t.Errorf("%s publishes %v, want %v", name, s.Ports, want)
		}
		for _, p := range s.Ports {
			parts := strings.Split(p, ":")
			if len(parts) != 3 || parts[0] != "127.0.0.1" {
				t.Errorf("%s publishes %s, which other machines can reach", name, p)
				continue
			}
			if other, taken := owner[parts[1]]; taken {
				t.Errorf("%s and %s both publish port %s", other, name, parts[1])
			}
			owner[parts[1]] = name
			if !s.observes() && !strings.Contains(defaults, "Default: "+parts[1]+",") {
				t.Errorf("%s is on port %s, which devstack does not use", name, parts[1])
			}
		}
	}
}

// Every address in a service's environment must be that of a service which starts before it.
func TestAddressesLeadToServicesThatAreStartedBefore(t *testing.T) {
	t.Parallel()
	f := read(t)
	for name, s := range f.Services {
		for variable, value := range s.Environment {
			host, port := address(value)
			if host == "" {
				continue
			}
			target, ok := f.Services[host]
			if !ok {
				t.Errorf("%s: %s leads to %s, which is not a service", name, variable, host)
				continue
			}
			if !slices.Contains(append(usualPorts[host], ownPort(host, target)), port) {
				t.Errorf("%s: %s leads to port %s of %s, which is not listening there", name, variable, port, host)
			}
			if !f.startsBefore(host, name, nil) {
				t.Errorf("%s: %s leads to %s, which may be started after it", name, variable, host)
			}
		}
	}
}

// address returns host and port of a URL or a host:port that leads to another service.
func address(value string) (host, port string) {
	if strings.HasPrefix(value, "${") { // ${VARIABLE:-default}
		_, value, _ = strings.Cut(strings.TrimSuffix(value, "}"), ":-")
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" {
		host, port = u.Hostname(), u.Port()
	} else if h, p, err := net.SplitHostPort(value); err == nil {
		host, port = h, p
	}
	if net.ParseIP(host) != nil { // where it listens itself, or what a browser on this machine opens
		return "", ""
	}
	return host, port
}

func ownPort(name string, s service) string {
	_, port, _ := net.SplitHostPort(s.Environment[strings.ToUpper(name)+"_ADDR"])
	return port
}

// startsBefore reports whether first is up, or has finished, before second starts.
func (f file) startsBefore(first, second string, seen []string) bool {
	if slices.Contains(seen, second) {
		return false
	}
	for dep := range f.Services[second].DependsOn {
		if dep == first || f.startsBefore(first, dep, append(seen, second)) {
			return true
		}
	}
	return false
}

func TestServicesWaitForTheRightCondition(t *testing.T) {
	t.Parallel()
	f := read(t)
	for name, s := range f.Services {
		for dep, on := range s.DependsOn {
			target, ok := f.Services[dep]
			if !ok {
				t.Errorf("%s depends on %s, which is not a service", name, dep)
			}
			want := "service_healthy"
			if target.oneShot() {
				want = "service_completed_successfully"
			}
			if on.Condition != want {
				t.Errorf("%s waits for %s to be %s, want %s", name, dep, on.Condition, want)
			}
		}
		if f.startsBefore(name, name, nil) {
			t.Errorf("%s waits for itself", name)
		}
		if s.onDemand() {
			if s.Restart != "no" || s.Healthcheck != nil {
				t.Errorf("%s: a service on demand must exit when its work is done", name)
			}
			continue
		}
		if s.oneShot() == (s.Healthcheck != nil) {
			t.Errorf("%s: only a service that stays up has a health check", name)
		}
		if !s.oneShot() && s.Restart != "unless-stopped" {
			t.Errorf("%s is not restarted when it dies", name)
		}
	}
}

func TestEveryMountedFileVolumeAndConfigExists(t *testing.T) {
	t.Parallel()
	f := read(t)
	used := map[string]bool{}
	for name, s := range f.Services {
		for _, mount := range s.Volumes {
			source, _, _ := strings.Cut(mount, ":")
			if !strings.HasPrefix(source, ".") {
				used[source] = true
				if _, ok := f.Volumes[source]; !ok {
					t.Errorf("%s uses the volume %s, which is not declared", name, source)
				}
				continue
			}
			if !strings.HasSuffix(mount, ":ro") {
				t.Errorf("%s may write to %s", name, source)
			}
			if info, err := os.Stat(filepath.Join(root, source)); err != nil || info.IsDir() {
				t.Errorf("%s mounts %s, which is not a file (Docker would create a directory)", name, source)
			}
		}
		for _, c := range s.Configs {
			if _, ok := f.Configs[c.Source]; !ok {
				t.Errorf("%s uses the config %s, which is not declared", name, c.Source)
			}
		}
	}
	for v := range f.Volumes {
		if !used[v] {
			t.Errorf("volume %s is not used", v)
		}
	}
}

func TestDatabasesAndRolesAreThoseOfTheInitScript(t *testing.T) {
	t.Parallel()
	script := string(contents(t, "tools/devstack/postgres-init.sql"))
	users := string(contents(t, "tools/devstack/rabbitmq-definitions.json"))
	for name, s := range read(t).Services {
		for variable, value := range s.Environment {
			u, err := url.Parse(value)
			if err != nil || u.User == nil {
				continue
			}
			role, database := u.User.Username(), strings.TrimPrefix(u.Path, "/")
			password, _ := u.User.Password()
			switch u.Scheme {
			case "postgres":
				for _, want := range []string{
					fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, password), "CREATE DATABASE " + database + " ",
				} {
					if !strings.Contains(script, want) {
						t.Errorf("%s: %s needs %q in postgres-init.sql", name, variable, want)
					}
				}
			case "amqp":
				if !strings.Contains(users, fmt.Sprintf("%q: %q", "name", role)) {
					t.Errorf("%s: %s needs the user %s in rabbitmq-definitions.json", name, variable, role)
				}
			}
		}
	}
}

func TestProgramsSendTheKeyThatTheGatewayAccepts(t *testing.T) {
	t.Parallel()
	services := read(t).Services
	for name, s := range services {
		if key, sends := s.Environment["STRIPE_API_KEY"]; sends && key != services["stripesim"].Environment["STRIPESIM_API_KEY"] {
			t.Errorf("%s sends the key %q, which the gateway does not accept", name, key)
		}
	}
}

// The server reads its variables through its mounted configuration, which is a template.
func TestTemporalsVariablesAreThoseOfItsConfiguration(t *testing.T) {
	t.Parallel()
	known := string(contents(t, "temporal-config/server.yaml"))
	temporal := read(t).Services["temporal"]
	for variable, value := range temporal.Environment {
		if variable == "TEMPORAL_SERVER_CONFIG_FILE_PATH" { // of the server itself
			if !slices.ContainsFunc(temporal.Volumes, func(m string) bool { return strings.Contains(m, ":"+value+":") }) {
				t.Errorf("%s is not mounted", value)
			}
			continue
		}
		if !strings.Contains(known, `env "`+variable+`"`) {
			t.Errorf("%s is not a variable of temporal-config/server.yaml", variable)
		}
	}
}

func TestImagesArePinnedToTheVersionsThatDevstackRuns(t *testing.T) {
	t.Parallel()
	goMod := string(contents(t, "tools/devstack/go.mod"))
	exact := regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)?$`)
	module := map[string]string{
		"temporalio/server":      "go.temporal.io/server v",
		"temporalio/admin-tools": "go.temporal.io/server v",
		"temporalio/ui":          "github.com/temporalio/ui-server/v2 v",
	}
	for name, s := range read(t).Services {
		if s.Build != "" {
			continue
		}
		if !exact.MatchString(s.Image) {
			t.Errorf("%s: %s is not pinned to a version", name, s.Image)
		}
		image, version, _ := strings.Cut(s.Image, ":")
		if prefix, ok := module[image]; ok && !regexp.MustCompile(`(?m)`+regexp.QuoteMeta(prefix+version)+`$`).MatchString(goMod) {
			t.Errorf("%s: devstack runs another version than %s", name, s.Image)
		}
	}
}

func TestTheImageHoldsEveryProgramAndDoesNotRunAsRoot(t *testing.T) {
	t.Parallel()
	dockerfile := contents(t, "Dockerfile")
	for _, p := range append(slices.Clone(programs), "healthcheck") {
		if !regexp.MustCompile(`\./cmd/` + p + `\b`).Match(dockerfile) {
			t.Errorf("the Dockerfile does not build ./cmd/%s", p)
		}
		if _, err := os.Stat(filepath.Join(root, "cmd", p, "main.go")); err != nil {
			t.Errorf("./cmd/%s is not a program: %v", p, err)
		}
	}
	if !regexp.MustCompile(`(?m)^USER [1-9]`).Match(dockerfile) {
		t.Error("the image runs as root")
	}
	built := regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+)\.\d+\S* AS build$`).FindSubmatch(dockerfile)
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(contents(t, "go.mod"))
	if built == nil || !bytes.Equal(built[1], wanted[1]) {
		t.Errorf("the image is built with Go %q, go.mod wants %s", built, wanted[1])
	}
}
