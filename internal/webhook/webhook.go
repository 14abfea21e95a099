// Package webhook signs and checks webhooks after the Standard Webhooks scheme (standardwebhooks.com), so that receivers
// in any language can use its libraries. A call carries three headers:
//
//	webhook-id         the same for every repetition of a call: receivers drop what they have seen
//	webhook-timestamp  seconds since 1970 of this attempt: receivers drop what is old, and with it replays
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

// Tolerance is how far a call's timestamp may be from the receiver's clock, either way.
const Tolerance = 5 * time.Minute

// The reasons why a call is not accepted.
var (
	ErrSignature = errors.New("no signature of the webhook fits")
	ErrTimestamp = errors.New("the webhook's timestamp is missing, too old or in the future")
)

// Key is a shared secret.
type Key struct{ secret []byte }

// Bounds of a key's length, from the scheme: shorter ones can be guessed, longer ones gain nothing.
const (
	minKey = 24
	maxKey = 64
)

// ParseKey reads a secret as it is handed around: whsec_ and 24 to 64 bytes in base64. The error does not show it.
func ParseKey(s string) (Key, error) {
	encoded, prefixed := strings.CutPrefix(s, "whsec_")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(secret) < minKey || len(secret) > maxKey {
		return Key{}, fmt.Errorf("a webhook secret is whsec_ and %d to %d bytes in base64", minKey, maxKey)
	}
	return Key{secret}, nil
}

// Sign adds the headers of an attempt at a call to h. The ID must not hold full stops, which separate what is signed.
func (k Key) Sign(h http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(k.mac(id, timestamp, body)))
}

// Verify returns nil when the headers prove that the body comes from somebody who knows the key, recently. It is for the
// receiver, who then drops IDs that it has acted on.
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
