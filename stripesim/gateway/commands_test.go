package gateway_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTheCommandsOfTheDocumentationWork runs every command of the operators' page as it is shown.
func TestTheCommandsOfTheDocumentationWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	page, err := os.ReadFile("../../docs/gateway-simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, command := range commands {
		if strings.HasPrefix(command[1], "export ") {
			continue // the test's gateway has another address and key
		}
		s.faults(`[{"fault": "refund_status", "status": "pending"}]`)
		payment, disputed := s.paid(), s.paid()
		run := exec.CommandContext(t.Context(), "sh", "-ec", command[1])
		run.Env = append(os.Environ(), "GATEWAY="+s.url, "KEY="+apiKey, "ORDER=order-1", "PAYMENT="+payment,
			"REFUND="+s.refund(payment, "100").id(t), "DISPUTE="+s.post("/_sim/disputes", "", "payment_intent", disputed).id(t))
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%s%v: %s", command[1], err, out)
		}
	}
	if len(commands) < 8 {
		t.Errorf("the page has %d commands", len(commands))
	}
}
