package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"ordersaga/internal/auth"
)

// answered are the answers that tests have seen, as "operation status".
var answered sync.Map

// elsewhere are statuses that any operation may answer, tested once for all in internal/httpapi.
var elsewhere = []string{"408", "500"}

// TestMain holds the tests to the description: when all of them ran, each status that is documented for an operation was
// seen.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		for _, missing := range unanswered() {
			fmt.Fprintf(os.Stderr, "no test sees the documented answer %s\n", missing)
			code = 1
		}
	}
	os.Exit(code)
}

func unanswered() []string {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	who, err := auth.New(context.Background(), byToken, "orders", log)
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	for _, item := range newAPI(dependencies{who: who, log: log}).OpenAPI().Paths {
		for _, op := range operations(item) {
			for status := range op.Responses {
				if _, ok := answered.Load(op.OperationID + " " + status); !ok && !slices.Contains(elsewhere, status) {
					missing = append(missing, op.OperationID+" "+status)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

func operations(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}
