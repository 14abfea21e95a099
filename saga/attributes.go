package saga

import (
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Attributes name search attributes of type Keyword that a saga sets once it needs attention. An empty name: none. They must
// be registered with the namespace: a workflow that sets another one cannot go on. [CheckAttributes] checks that, before a
// worker starts. An undisturbed saga sets none.
type Attributes struct {
	Status string // receives one of the Status values
	Step   string // receives the name of the step that needs, or was the last to need, attention
	Error  string // receives the type of the error that keeps the step broken
}

// DefaultAttributes returns the usual names.
func DefaultAttributes() Attributes {
	return Attributes{Status: "SagaStatus", Step: "SagaStep", Error: "SagaError"}
}

// Names returns the names that are set.
func (a Attributes) Names() []string {
	return slices.DeleteFunc([]string{a.Status, a.Step, a.Error}, func(name string) bool { return name == "" })
}

// operator is the part of client.Client that CheckAttributes calls.
type operator interface {
	OperatorService() operatorservice.OperatorServiceClient
}

// CheckAttributes returns an error that names the attributes that the namespace lacks, or has with another type. c is a
// client.Client of the namespace. It wraps the server's error when the server does not let this client list attributes.
func CheckAttributes(ctx context.Context, c operator, namespace string, a Attributes) error {
	registered, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list the search attributes of namespace %s: %w", namespace, err)
	}
	var missing []string
	for _, name := range a.Names() {
		if registered.CustomAttributes[name] != enumspb.INDEXED_VALUE_TYPE_KEYWORD {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("namespace %s lacks the search attributes %s: create them, of type Keyword, for example with "+
			"`temporal operator search-attribute create --namespace %s --name %s --type Keyword`",
			namespace, strings.Join(missing, ", "), namespace, missing[0])
	}
	return nil
}

func (a Attributes) needsAttention(ctx workflow.Context, step, kind string) {
	a.upsert(ctx, map[string]*string{a.Status: new(StatusNeedsAttention), a.Step: &step, a.Error: &kind})
}

func (a Attributes) settled(ctx workflow.Context, status string) {
	a.upsert(ctx, map[string]*string{a.Status: &status, a.Error: nil})
}

// upsert sets the attributes, and unsets those without a value.
func (a Attributes) upsert(ctx workflow.Context, values map[string]*string) {
	var updates []temporal.SearchAttributeUpdate
	for _, name := range a.Names() {
		key := temporal.NewSearchAttributeKeyKeyword(name)
		if value, ok := values[name]; ok && value != nil {
			updates = append(updates, key.ValueSet(*value))
		} else if ok {
			updates = append(updates, key.ValueUnset())
		}
	}
	if len(updates) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err.Error())
	}
}
