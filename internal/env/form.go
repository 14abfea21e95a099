package env

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// forms are what values of a form look like, by its name in a tag. A value with a password is a secret.
var forms = map[string]string{
	"address":  "host:port",
	"http":     "http://host:port",
	"url":      "http://host:port/path",
	"postgres": "postgres://user:password@host:port/name",
	"amqp":     "amqp://user:password@host:port/vhost",
}

// malformed returns an error for each value that does not look like its field's form. The error shows the form, never
// the value. The value for a URL must be a URL with a host and the form's scheme, or the same scheme with TLS. An empty value
// is not checked.
func malformed(config reflect.Value, known []Variable) []error {
	var out []error
	for _, v := range known {
		if v.form == "" {
			continue
		}
		if value := config.FieldByIndex(v.index).String(); value != "" && !hasForm(value, v.form) {
			out = append(out, fmt.Errorf("%s: want %s", v.Name, v.form))
		}
	}
	return out
}

func hasForm(value, form string) bool {
	scheme, _, isURL := strings.Cut(form, "://")
	if !isURL {
		_, port, err := net.SplitHostPort(value)
		_, notNumber := strconv.ParseUint(port, 10, 16)
		return err == nil && notNumber == nil
	}
	got, rest, _ := strings.Cut(value, "://")
	u, err := url.Parse(value)
	if scheme == "postgres" {
		// The driver also takes lists of hosts, which the standard library cannot parse, and sockets, which have no host.
		return (got == scheme || got == "postgresql") && rest != "" && (err == nil || strings.Contains(rest, ","))
	}
	return err == nil && u.Host != "" && (got == scheme || got == scheme+"s")
}
