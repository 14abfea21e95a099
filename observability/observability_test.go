// Package observability has no code: its files are read by Prometheus and Grafana. These tests hold them together.
package observability

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rules is the part of rules.yml that the tests read.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Record, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, "rules.yml"), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPromtoolAcceptsTheConfigurationAndTheRulesPassTheirTests(t *testing.T) {
	t.Parallel()
	promtool, err := filepath.Abs("../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(promtool); errors.Is(err, os.ErrNotExist) {
		if testing.Short() {
			t.Skip("needs bin/promtool; skipped by -short")
		}
		t.Fatal("bin/promtool is missing: run `make bin/promtool`")
	}
	for _, arguments := range [][]string{
		{"check", "config", "prometheus.yml"}, {"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"},
	} {
		if out, err := exec.Command(promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

func TestEveryAlertIsTestedAndDocumentedAndNamesItsSectionOfTheRunbook(t *testing.T) {
	t.Parallel()
	tests, page, runbook := string(read(t, "rules_test.yml")), string(read(t, "../docs/observability.md")), read(t, "../docs/runbook.md")
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllSubmatch(runbook, -1) {
		sections[anchor(string(heading[1]))] = true
	}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			_, section, ok := strings.Cut(r.Annotations["runbook"], "docs/runbook.md#")
			if !ok || !sections[section] {
				t.Errorf("%s: the runbook has no section %q", r.Alert, section)
			}
			if !strings.Contains(tests, "alertname: "+r.Alert+"\n") {
				t.Errorf("%s has no test", r.Alert)
			}
			if !strings.Contains(page, "`"+r.Alert+"`") {
				t.Errorf("docs/observability.md does not mention %s", r.Alert)
			}
		}
	}
}

// anchor is the part of a link that leads to a heading.
func anchor(heading string) string {
	heading = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(heading, " ", "-")
}

func TestRulesAndDashboardsAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := slices.Concat(documented(t), []string{"rabbitmq_*", "up"})
	ask := map[string]string{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				known = append(known, r.Record)
			}
			ask[r.Alert+r.Record] = r.Expr
		}
	}
	boards, err := filepath.Glob("grafana/*.json")
	if err != nil || len(boards) != 3 {
		t.Fatalf("dashboards: %v, %v", boards, err)
	}
	for _, path := range boards {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(read(t, path), &board); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				ask[path+": "+p.Title] += " " + target.Expr
			}
		}
	}
	for where, expression := range ask {
		for _, name := range metricsIn(expression) {
			if !slices.ContainsFunc(known, func(k string) bool { return matches(k, name) }) {
				t.Errorf("%s asks for %s, which does not exist", where, name)
			}
		}
	}
}

// metricsIn returns the names in an expression: what is neither a label, nor a function, nor a keyword.
func metricsIn(expression string) []string {
	expression = regexp.MustCompile(`\{[^}]*\}|\[[^]]*\]|\b(by|without) \([^)]*\)`).ReplaceAllString(expression, "")
	var names []string
	for _, m := range regexp.MustCompile(`[a-z_][a-z0-9_:]*\b(\s*\()?`).FindAllString(expression, -1) {
		switch {
		case strings.HasSuffix(m, "("), m == "and", m == "or", m == "by", m == "le":
		default:
			names = append(names, m)
		}
	}
	return names
}

// matches reports whether a name is that of a documented metric or of one of its series.
func matches(known, name string) bool {
	if prefix, ok := strings.CutSuffix(known, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return name == known || slices.Contains([]string{known + "_bucket", known + "_count", known + "_sum"}, name)
}

// documented returns the metrics in the table of docs/observability.md.
func documented(t *testing.T) []string {
	t.Helper()
	_, table, _ := strings.Cut(string(read(t, "../docs/observability.md")), "## Metrics")
	table, _, _ = strings.Cut(table, "\n## ")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			names = append(names, strings.Trim(name, "`"))
		}
	}
	if len(names) < 10 {
		t.Fatalf("the table of docs/observability.md names only %v", names)
	}
	return names
}
