package temporalclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// ErrAttributesUnknown is returned when the server does not let this client see which search attributes there are.
var ErrAttributesUnknown = errors.New("the server does not say which search attributes the namespace has")

// RequireSearchAttributes returns an error that names the search attributes, all keywords, that the namespace lacks.
// Setting one that is missing would block a workflow for good.
func RequireSearchAttributes(ctx context.Context, c client.Client, namespace string, names ...string) error {
	res, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	var denied *serviceerror.PermissionDenied
	var unimplemented *serviceerror.Unimplemented
	if errors.As(err, &denied) || errors.As(err, &unimplemented) {
		return ErrAttributesUnknown
	}
	if err != nil {
		return fmt.Errorf("list the search attributes of namespace %s: %w", namespace, err)
	}
	var missing []string
	for _, name := range names {
		if _, ok := res.CustomAttributes[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("namespace %s lacks the search attributes %s: create them, of type Keyword, "+
			"as with `temporal operator search-attribute create --name %s --type Keyword`",
			namespace, strings.Join(missing, ", "), missing[0])
	}
	return nil
}
