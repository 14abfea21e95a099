package temporalclient

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	sdklog "go.temporal.io/sdk/log"
)

func TestTheSDKsLogLinesHaveOurNames(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logger{slog.New(slog.NewJSONHandler(&out, nil))}
	const id = "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"
	sdklog.With(log, "TaskQueue", "orders", "WorkflowID", "recover-order-"+id).Warn("slow", "RunID", "r", "step", "ChargePayment")
	log.Debug("not shown", "WorkflowID", "x")
	for _, want := range []string{
		`"taskQueue":"orders"`, `"workflowId":"recover-order-` + id + `"`, `"orderId":"` + id + `"`, `"runId":"r"`, `"step":"ChargePayment"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("lines:\n%s", out.String())
	}
}
