package env_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/env"
)

type nested struct {
	Timeout time.Duration `env:"TIMEOUT" envDefault:"10s" help:"bounds a call"`
}

type config struct {
	Addr  string `env:"ADDR" envDefault:"127.0.0.1:1" help:"where to listen"`
	Limit int    `env:"LIMIT" envDefault:"5" help:"how many"`
	Token int    `env:"TOKEN,required" secret:"true" help:"the key"`
	nested
	Nested nested2
}

type nested2 struct {
	Name string `env:"NAME,notEmpty" help:"who"`
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

type formed struct {
	Addr string `env:"ADDR" form:"address"`
	URL  string `env:"DATABASE_URL,notEmpty" form:"postgres"`
	Page string `env:"PAGE_URL" form:"http"`
	Mode string `env:"MODE"`
}

func (f formed) Validate() error {
	return errors.Join(errors.New("MODE: want on or off"), errors.Join(errors.New("DATABASE_URL: not that of a database")))
}

func TestValuesMustLookLikeTheirForms(t *testing.T) {
	t.Parallel()
	const database, mode = "DATABASE_URL: want postgres://user:password@host:port/name", "MODE: want on or off"
	const page, db = "PAGE_URL: want http://host:port", "DATABASE_URL=postgres://h/n"
	invalid := "DATABASE_URL: not that of a database" // Validate's; dropped where the URL is known to be wrong
	for name, tt := range map[string]struct {
		environ []string
		want    []string
	}{
		"all wrong": {
			[]string{"ADDR=8080", "DATABASE_URL=hunter2", "PAGE_URL=localhost:80"},
			[]string{"ADDR: want host:port", database, page, mode},
		},
		"no number":          {[]string{"ADDR=:http", db}, []string{"ADDR: want host:port", mode, invalid}},
		"port too high":      {[]string{"ADDR=:70000", db}, []string{"ADDR: want host:port", mode, invalid}},
		"missing":            {nil, []string{"DATABASE_URL: is required", mode}},
		"no host":            {[]string{"PAGE_URL=http://", db}, []string{page, mode, invalid}},
		"path, no host":      {[]string{"PAGE_URL=http:///page", db}, []string{page, mode, invalid}},
		"another scheme":     {[]string{"PAGE_URL=httpx://h", db}, []string{page, mode, invalid}},
		"a socket":           {[]string{"DATABASE_URL=postgres:///n?host=/run"}, []string{mode, invalid}},
		"cannot be parsed":   {[]string{"DATABASE_URL=postgres://u:hunter2%zz@h/n"}, []string{database, mode}},
		"with TLS":           {[]string{"PAGE_URL=https://host", "DATABASE_URL=postgresql://h/n"}, []string{mode, invalid}},
		"several databases":  {[]string{"DATABASE_URL=postgres://u:p@one:1,two:2/n"}, []string{mode, invalid}},
		"every interface":    {[]string{"ADDR=:8080", db}, []string{mode, invalid}},
		"IPv6, any free one": {[]string{"ADDR=[::1]:0", db}, []string{mode, invalid}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := env.Parse[formed](tt.environ)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.Split(err.Error(), "\n")
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsageListsEveryVariableWithDefaultAndMeaning(t *testing.T) {
	var b strings.Builder
	env.Usage(&b, env.Variables[config]())
	want := `  ADDR     127.0.0.1:1  where to listen
  LIMIT    5            how many
  TOKEN    (required)   the key
  TIMEOUT  10s          bounds a call
  NAME     (required)   who
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestUsageShowsFormsOnce(t *testing.T) {
	t.Parallel()
	type config struct {
		One   string `env:"ONE" form:"address" help:"where to listen"`
		Other string `env:"OTHER" form:"address" help:"host:port to listen on"`
	}
	var b strings.Builder
	env.Usage(&b, env.Variables[config]())
	want := "  ONE    (none)  where to listen: host:port\n  OTHER  (none)  host:port to listen on\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

// two is the configuration of two programs in one process: both read ADDR, DATABASE_URL and the rest.
type two struct {
	One, Other formed
	Limit      limited
}

type limited struct {
	Most int `env:"MOST" envDefault:"5"`
}

func (l limited) Validate() error {
	if l.Most < 1 {
		return errors.New("MOST: want at least 1")
	}
	return nil
}

func TestNestedConfigurationsAreCheckedAndSharedVariablesAreReportedOnce(t *testing.T) {
	t.Parallel()
	_, err := env.Parse[two]([]string{"ADDR=8080", "MOST=0"})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"DATABASE_URL: is required",
		"ADDR: want host:port", "MODE: want on or off", "MOST: want at least 1",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	var names []string
	for _, v := range env.Variables[two]() {
		names = append(names, v.Name)
	}
	if diff := cmp.Diff([]string{"ADDR", "DATABASE_URL", "PAGE_URL", "MODE", "MOST"}, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}
