package env_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ordersaga/internal/env"
)

type nested struct {
	Wait time.Duration `env:"WAIT" envDefault:"10s" help:"how long to wait"`
}

type config struct {
	Addr  string `env:"ADDR" envDefault:"127.0.0.1:1" help:"where to listen"`
	Limit int    `env:"LIMIT" envDefault:"5" help:"how many"`
	Token int    `env:"TOKEN,required" secret:"true" help:"the key"`
	nested
	Nested nested2
}

type nested2 struct {
	Name string `env:"NAME,required,notEmpty" help:"who"`
}

func TestParseFillsDefaultsAndValues(t *testing.T) {
	got, err := env.Parse[config]([]string{"LIMIT=7", "TOKEN=1", "NAME=x"})
	if err != nil {
		t.Fatal(err)
	}
	want := config{Addr: "127.0.0.1:1", Limit: 7, Token: 1, Nested: nested2{Name: "x"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config{})); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestEveryMistakeIsReportedAtOnceAndNamedByItsVariable(t *testing.T) {
	_, err := env.Parse[config]([]string{"LIMIT=many", "TOKEN=hunter2"})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 {
		t.Errorf("want one line for each of LIMIT, TOKEN and NAME, got:\n%s", err)
	}
	for _, name := range []string{"LIMIT", "TOKEN", "NAME"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in:\n%s", name, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the secret is shown in:\n%s", err)
	}
}

func TestUsageListsEveryVariableWithDefaultAndMeaning(t *testing.T) {
	var b strings.Builder
	env.Usage(&b, env.Variables[config]())
	want := `  ADDR   127.0.0.1:1  where to listen
  LIMIT  5            how many
  TOKEN  (required)   the key
  WAIT   10s          how long to wait
  NAME   (required)   who
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}
