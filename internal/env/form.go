package env

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// malformed returns an error for each value that does not look like its field's form. The form is what the error shows,
// never the value. A form is host:port, or a URL: then the value must be one whose scheme begins with the form's (https,
// amqps, postgresql). An empty value has no form.
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
	if !strings.HasPrefix(got, scheme) || rest == "" {
		return false
	}
	// A list of hosts, which PostgreSQL's driver understands, is no URL to the standard library.
	_, err := url.Parse(value)
	return err == nil || strings.Contains(rest, ",")
}
