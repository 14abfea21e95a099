// Package env reads a program's configuration from the environment, once, into a struct. It reports every mistake at
// once and names the variable. The same struct documents the variables:
//
//	type config struct {
//		Addr string `env:"API_ADDR" envDefault:"127.0.0.1:8080" form:"address" help:"where to listen"`
//		Key  string `env:"STRIPE_API_KEY,notEmpty" secret:"true" help:"secret key of the payment gateway"`
//		TLS  httpserver.TLS
//	}
//
// The tags env and envDefault are those of github.com/caarlos0/env; notEmpty without a default means that a variable is
// required. The value of a field tagged secret:"true" is never shown. A field tagged form must look like its form (see
// form.go). Nested structs are read as well, and every struct with a method Validate() error is checked after parsing.
package env

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caarlos0/env/v11"
)

// Parse fills a C from environ, which holds "KEY=value" strings as os.Environ returns them. The error names every
// wrong or missing variable, one per line, and shows no secret.
func Parse[C any](environ []string) (C, error) {
	var c C
	err := env.ParseWithOptions(&c, env.Options{Environment: env.ToMap(environ)})
	value := reflect.ValueOf(c)
	known := fields(value.Type())
	problems := append(describe(err, known), malformed(value, known)...)
	return c, errors.Join(distinct(append(problems, unnamed(validate(value), problems, known)...))...)
}

// validate calls the Validate of a configuration and of the structs in it. Its errors begin with the variable's name.
func validate(config reflect.Value) error {
	if config.Kind() != reflect.Struct || !config.CanInterface() {
		return nil
	}
	var problems []error
	if v, ok := config.Interface().(interface{ Validate() error }); ok {
		problems = append(problems, v.Validate())
	}
	for _, field := range config.Fields() {
		problems = append(problems, validate(field))
	}
	return errors.Join(problems...)
}

// unnamed returns the errors in err about variables without a known problem: a missing value is not a wrong one as well.
func unnamed(err error, problems []error, known []Variable) []error {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range all.Unwrap() {
			out = append(out, unnamed(e, problems, known)...)
		}
		return out
	}
	for _, v := range known {
		if strings.HasPrefix(err.Error(), v.Name) && slices.ContainsFunc(problems, v.named) {
			return nil
		}
	}
	return []error{err}
}

// distinct drops repetitions: two parts of a configuration may read the same variable.
func distinct(problems []error) []error {
	var out []error
	for _, p := range problems {
		if !slices.ContainsFunc(out, func(e error) bool { return e.Error() == p.Error() }) {
			out = append(out, p)
		}
	}
	return out
}

// describe turns the library's errors, which name Go fields, into errors that name variables.
func describe(err error, known []Variable) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	var out []error
	for _, e := range all.Errors {
		var parse env.ParseError
		var empty env.EmptyVarError
		switch {
		case errors.As(e, &parse):
			out = append(out, describeParse(parse, known))
		case errors.As(e, &empty):
			out = append(out, fmt.Errorf("%s: is required", empty.Key))
		default:
			out = append(out, errors.New(strings.TrimPrefix(e.Error(), "env: ")))
		}
	}
	return out
}

func describeParse(e env.ParseError, known []Variable) error {
	for _, v := range known {
		if v.field != e.Name || v.typ != e.Type {
			continue
		}
		if v.Secret {
			return fmt.Errorf("%s: not a valid %s", v.Name, v.typ)
		}
		return fmt.Errorf("%s: not a valid %s: %w", v.Name, v.typ, e.Err)
	}
	return e
}

// Variable describes one environment variable of a program.
type Variable struct {
	Name     string
	Default  string // as it would be written in the environment; "" if there is none
	Help     string // meaning and unit
	Required bool
	Secret   bool

	field string
	typ   reflect.Type
	form  string
	index []int // of the field in the configuration
}

// named reports whether the error names the variable.
func (v Variable) named(err error) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(v.Name) + `\b`).MatchString(err.Error())
}

// Variables lists the variables of a configuration of type C in the order of its fields, each once.
func Variables[C any]() []Variable {
	var out []Variable
	for _, v := range fields(reflect.TypeFor[C]()) {
		if !slices.ContainsFunc(out, func(o Variable) bool { return o.Name == v.Name }) {
			out = append(out, v)
		}
	}
	return out
}

func fields(t reflect.Type, above ...int) []Variable {
	var out []Variable
	for f := range t.Fields() {
		index := slices.Concat(above, f.Index)
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		if name == "" {
			if f.Type.Kind() == reflect.Struct {
				out = append(out, fields(f.Type, index...)...)
			}
			continue
		}
		def, form := f.Tag.Get("envDefault"), forms[f.Tag.Get("form")]
		out = append(out, Variable{
			Name: name, Default: def, Help: f.Tag.Get("help"), Required: options != "" && def == "",
			Secret: f.Tag.Get("secret") == "true" || strings.Contains(form, "password"),
			field:  f.Name, typ: f.Type, form: form, index: index,
		})
	}
	return out
}

// Usage writes the variables as a table: name, default, meaning. It adds a form that the help does not show.
func Usage(w io.Writer, variables []Variable) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		def := v.Default
		switch {
		case v.Required:
			def = "(required)"
		case def == "":
			def = "(none)"
		}
		meaning := v.Help
		if !strings.Contains(meaning, v.form) {
			meaning += ": " + v.form
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", v.Name, def, meaning)
	}
	tw.Flush()
}
