// Package webhook signs and verifies webhooks by the Standard Webhooks scheme (standardwebhooks.com), so that receivers in any
// language can use its libraries. A call has three headers:
//
//	webhook-id         the same in every attempt: receivers drop calls that they have seen
//	webhook-timestamp  seconds since 1970 of this attempt: receivers drop old calls, and so replays
//	webhook-signature  v1,BASE64(HMAC-SHA256(secret, id "." timestamp "." body)); several are separated by spaces
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a call.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far a call's timestamp may differ from the receiver's clock.
const Tolerance = 5 * time.Minute

// The reasons for rejecting a call.
var (
	ErrSignature = errors.New("no signature of the webhook is valid")
	ErrTimestamp = errors.New("the webhook's timestamp is missing, too old or in the future")
)

// Key is a shared secret.
type Key struct{ secret []byte }

// The scheme's bounds of a key's length, in bytes.
const (
	minKey = 24
	maxKey = 64
)

// ParseKey parses a secret: whsec_ and 24 to 64 bytes in base64. The error does not show it.
func ParseKey(s string) (Key, error) {
	encoded, prefixed := strings.CutPrefix(s, "whsec_")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(secret) < minKey || len(secret) > maxKey {
		return Key{}, fmt.Errorf("a webhook secret is whsec_ and %d to %d bytes in base64", minKey, maxKey)
	}
	return Key{secret}, nil
}

// Sign adds the headers of one attempt to h. The ID must not contain full stops, because they separate the signed parts.
func (k Key) Sign(h http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(k.mac(id, timestamp, body)))
}

// Verify returns nil if the headers prove that a holder of the key has sent the body recently. It is for receivers, which then
// drop the IDs that they have already acted on.
func (k Key) Verify(h http.Header, body []byte, now time.Time) error {
	id, timestamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return ErrTimestamp
	}
	want := k.mac(id, timestamp, body)
	for signature := range strings.FieldsSeq(h.Get(HeaderSignature)) {
		encoded, v1 := strings.CutPrefix(signature, "v1,")
		got, err := base64.StdEncoding.DecodeString(encoded)
		if v1 && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}

func (k Key) mac(id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	fmt.Fprintf(h, "%s.%s.", id, timestamp)
	h.Write(body)
	return h.Sum(nil)
}
