package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// everyFault is every way in which a call of the gateway can go wrong.
var everyFault = []string{
	"error_before", "error_stored", "error_after", "conflict", "rate_limit", "drop_response", "reset", "outage",
}

func TestOrdersSurviveABadGatewayAndNoSecretIsLogged(t *testing.T) {
	s := newSystem(t)
	var rules []map[string]any
	for _, fault := range everyFault {
		rules = append(rules, map[string]any{"fault": fault, "rate": 0.04})
	}
	s.faults(rules...)
	var ids []string
	for i := range 12 {
		method := visa
		if i%4 == 3 {
			method = declined
		}
		ids = append(ids, s.placeAsync(method, lamp, 1))
	}
	for _, id := range ids {
		s.finished(id)
	}
	s.faults()
	for i, id := range ids {
		want := orderclient.Confirmed
		if i%4 == 3 {
			want = orderclient.Failed
		}
		if o := s.order(id); o.Status != want {
			t.Errorf("order %s ended %s %s, want %s", id, o.Status, o.Reason, want)
		}
	}
	s.keepsPromises(ids...)
}

func TestAWorkerWithAWrongKeySaysSoAndStops(t *testing.T) {
	s := newSystem(t)
	s.worker.stop(syscall.SIGTERM)
	s.worker.env = append(s.worker.env, "STRIPE_API_KEY=sk_test_wrong")
	s.worker.start()
	<-s.worker.done
	if code := s.worker.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(s.worker.logs.String(), "STRIPE_API_KEY") {
		t.Errorf("exit code %d\n%s", code, tail(s.worker.logs.String(), 5))
	}
}

func TestMoneyTakenBehindTheSagasBackIsRefundedWhenTheGatewayReportsIt(t *testing.T) {
	s := newSystem(t)
	secret := "whsec_" + servicestest.Name("")
	s.api.stop(syscall.SIGTERM)
	s.api.env = append(s.api.env, "STRIPE_WEBHOOK_SECRET="+secret)
	s.stripesim.stop(syscall.SIGTERM)
	s.stripesim.env = append(s.stripesim.env, "STRIPESIM_WEBHOOK_URL=http://"+s.api.addr+"/stripe/webhook",
		"STRIPESIM_WEBHOOK_SECRET="+secret)
	s.stripesim.start()
	s.stripesim.ready()
	// The api is still down: the gateway has to send its event again.
	s.worker.ready()
	s.api.start()
	s.api.ready()
	failed, confirmed := s.place(declined, lamp, 1).orderID(), s.place(visa, lamp, 1).orderID()
	s.api.stop(syscall.SIGTERM)
	s.payByHand(failed)
	s.payByHand(confirmed)
	s.api.start()
	s.api.ready()
	for _, id := range []string{failed, confirmed} {
		eventually(t, "the money of order "+id+" is refunded, and the timeline says so", func(context.Context) bool {
			return s.money(id).Refunded == 1299 && slices.Contains(s.timeline(id), "REFUNDED")
		})
	}
	// Both were charged behind the saga's back. Now the gateway keeps the right amounts again.
	if got := s.money(failed).Net; got != 0 {
		t.Errorf("the gateway keeps %d of a failed order, want 0", got)
	}
	if got := s.money(confirmed).Net; got != 1299 {
		t.Errorf("the gateway keeps %d of a confirmed order, want its total", got)
	}
}

// payByHand takes money for an order as an operator would on the gateway's dashboard.
func (s *system) payByHand(id string) {
	s.t.Helper()
	intent := s.post("/v1/payment_intents", url.Values{
		"amount": {"1299"}, "currency": {"usd"}, "payment_method": {visa}, "metadata[order_id]": {id},
	})
	s.post("/v1/payment_intents/"+intent+"/confirm", nil)
}

// post calls the gateway and returns the ID of the object in its response.
func (s *system) post(path string, form url.Values) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.stripesim.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var object struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&object); err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", path, res.Status, err)
	}
	return object.ID
}
