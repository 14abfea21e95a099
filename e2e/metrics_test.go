package e2e

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheMetricsAreThoseOfTheDocumentation scrapes every program after orders of every kind.
func TestTheMetricsAreThoseOfTheDocumentation(t *testing.T) {
	s := newSystem(t)
	ids := []string{s.place(visa, lamp, 1).orderID(), s.place(declined, lamp, 1).orderID(), s.place(visa, chair, 2).orderID()}
	s.keepsPromises(ids...)
	found := map[string]bool{}
	for _, p := range []*process{s.api, s.worker, s.catalog, s.stripesim, s.notifier} {
		text := s.metrics(p)
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(text, -1) {
			found[m[1]] = true
		}
		lint(t, p.name, text)
	}
	known := documentedMetrics(t)
	for name := range found {
		if !slices.ContainsFunc(known, func(k string) bool { return isMetric(k, name) }) {
			t.Errorf("%s is not in docs/observability.md", name)
		}
	}
	for _, k := range known {
		exists := false
		for name := range found {
			exists = exists || isMetric(k, name)
		}
		if !exists {
			t.Errorf("docs/observability.md promises %s, which no program has", k)
		}
	}
	worker := s.metrics(s.worker)
	for _, line := range []string{
		`orders_finished_total{reason="",status="CONFIRMED"} 1`,
		`orders_finished_total{reason="PAYMENT_DECLINED",status="FAILED"} 1`,
		`orders_finished_total{reason="OUT_OF_STOCK",status="FAILED"} 1`,
		`orders_finished_total{reason="TIMED_OUT",status="FAILED"} 0`,
		`order_decision_duration_seconds_count{status="CONFIRMED"} 1`,
		`order_decision_duration_seconds_count{status="FAILED"} 2`,
		`saga_needs_attention{step="ChargePayment"} 0`,
		`catalog_breaker_state 0`,
	} {
		if !containsLine(worker, line) {
			t.Errorf("the worker has no line %s", line)
		}
	}
}

func containsLine(text, line string) bool {
	return slices.Contains(strings.Split(text, "\n"), line)
}

// metrics returns what the program shows to Prometheus.
func (s *system) metrics(p *process) string {
	s.t.Helper()
	variable := strings.ToUpper(p.name) + "_ADDR="
	own := p.env[slices.IndexFunc(p.env, func(v string) bool { return strings.HasPrefix(v, variable) })] // past the front
	res := s.do(http.MethodGet, "http://"+strings.TrimPrefix(own, variable)+"/metrics", nil)
	if res.status != http.StatusOK {
		s.t.Fatalf("metrics of %s: %d %s", p.name, res.status, res.body)
	}
	return string(res.body)
}

// lint runs Prometheus's own checks of names, types and descriptions.
func lint(t *testing.T, program, text string) {
	t.Helper()
	promtool, err := filepath.Abs("../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(promtool); err != nil {
		t.Fatalf("run `make bin/promtool`: %v", err)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewBufferString(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics of %s: %v\n%s", program, err, out)
	}
}

// documentedMetrics returns the names in the table of docs/observability.md; some end in *.
func documentedMetrics(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Metrics")
	table, _, _ = strings.Cut(table, "\n## ")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			names = append(names, strings.Trim(name, "`"))
		}
	}
	return names
}

func isMetric(known, name string) bool {
	prefix, all := strings.CutSuffix(known, "*")
	return name == known || all && strings.HasPrefix(name, prefix)
}
