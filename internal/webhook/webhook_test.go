package webhook_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/webhook"
)

// The example from the tests of the scheme's libraries.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	id        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	body      = `{"test": 2432232314}`
	signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var at = time.Unix(1614265330, 0)

func key(t *testing.T) webhook.Key {
	t.Helper()
	k, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheSignatureFollowsTheScheme(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	key(t).Sign(h, id, at, []byte(body))
	if got := h.Get("webhook-signature"); got != signature {
		t.Errorf("signature %s, want %s", got, signature)
	}
}

func setHeader(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

func TestOnlyRecentlySignedCallsAreAccepted(t *testing.T) {
	t.Parallel()
	k := key(t)
	for name, tt := range map[string]struct {
		change func(http.Header)
		body   string
		now    time.Time
		want   error
	}{
		"as sent":               {want: nil},
		"one of two signatures": {change: setHeader(webhook.HeaderSignature, "v1,AAAA "+signature)},
		"late, but in time":     {now: at.Add(webhook.Tolerance)},
		"replayed later":        {now: at.Add(webhook.Tolerance + time.Second), want: webhook.ErrTimestamp},
		"from the future":       {now: at.Add(-webhook.Tolerance - time.Second), want: webhook.ErrTimestamp},
		"another body":          {body: body + " ", want: webhook.ErrSignature},
		"another ID":            {change: setHeader(webhook.HeaderID, "msg_2"), want: webhook.ErrSignature},
		"another timestamp":     {change: setHeader(webhook.HeaderTimestamp, "1614265331"), want: webhook.ErrSignature},
		"no timestamp":          {change: func(h http.Header) { h.Del(webhook.HeaderTimestamp) }, want: webhook.ErrTimestamp},
		"no signature":          {change: func(h http.Header) { h.Del(webhook.HeaderSignature) }, want: webhook.ErrSignature},
		"no scheme":             {change: setHeader(webhook.HeaderSignature, signature[3:]), want: webhook.ErrSignature},
	} {
		h := http.Header{}
		k.Sign(h, id, at, []byte(body))
		if tt.change != nil {
			tt.change(h)
		}
		sent, now := body, at
		if tt.body != "" {
			sent = tt.body
		}
		if !tt.now.IsZero() {
			now = tt.now
		}
		if err := k.Verify(h, []byte(sent), now); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestMalformedSecretsAreRejectedAndNotShown(t *testing.T) {
	t.Parallel()
	long := "whsec_" + strings.Repeat("AAAA", 30)
	for _, s := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_#", long} {
		if _, err := webhook.ParseKey(s); err == nil || len(s) > 8 && strings.Contains(err.Error(), s) {
			t.Errorf("%q: got %v", s, err)
		}
	}
}
