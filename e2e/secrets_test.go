package e2e

import (
	"bytes"
	"regexp"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"
)

// secrets are API keys, signing secrets, client secrets, JSON Web Tokens, and the tests' card number.
var secrets = regexp.MustCompile(`(?:sk|rk)_(?:test|live)_\w*|whsec_\w+|\w+_secret_\w+|` +
	`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+|4242 ?4242 ?4242 ?4242`)

// noSecrets fails the test when the text holds a secret; where names the text.
func noSecrets(t *testing.T, where string, text []byte) {
	t.Helper()
	if found := secrets.Find(text); found != nil {
		at := bytes.Index(text, found)
		t.Errorf("%s holds %q: …%s…", where, found, text[max(0, at-100):min(len(text), at+100)])
	}
}

// historyHoldsNoSecrets scans everything that Temporal keeps about an order: inputs, results, errors, memos and details.
func (s *system) historyHoldsNoSecrets(id string) {
	s.t.Helper()
	events := 0
	history := s.temporal.GetWorkflowHistory(s.t.Context(), workflowID(id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			s.t.Fatalf("the history of order %s: %v", id, err)
		}
		raw, err := proto.Marshal(event) // payloads are not compressed, so their text is found
		if err != nil {
			s.t.Fatal(err)
		}
		events++
		noSecrets(s.t, "the history of order "+id, raw)
	}
	if events == 0 {
		s.t.Errorf("order %s has no history: the scan proves nothing", id)
	}
}
