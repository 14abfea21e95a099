package temporalclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
)

// ErrAttributesUnknown is returned when the server does not let this client list the search attributes.
var ErrAttributesUnknown = errors.New("the server does not list the search attributes of the namespace")

// RequireSearchAttributes returns an error that names the search attributes, all keywords, that the namespace lacks.
// Setting one that is missing would block a workflow for good.
func (c *Client) RequireSearchAttributes(ctx context.Context, names ...string) error {
	res, err := c.SDK.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: c.namespace})
	var denied *serviceerror.PermissionDenied
	var unimplemented *serviceerror.Unimplemented
	if errors.As(err, &denied) || errors.As(err, &unimplemented) {
		return ErrAttributesUnknown
	}
	if err != nil {
		return fmt.Errorf("list the search attributes of namespace %s: %w", c.namespace, err)
	}
	var missing []string
	for _, name := range names {
		if _, ok := res.CustomAttributes[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("namespace %s lacks the search attributes %s: create them, of type Keyword, "+
			"for example with `temporal operator search-attribute create --name %s --type Keyword`",
			c.namespace, strings.Join(missing, ", "), missing[0])
	}
	return nil
}
