// Package httpclient makes transports that notice a dead peer.
package httpclient

import (
	"net/http"
	"time"
)

// How long an HTTP/2 connection may be silent before it is pinged, and how long the answer may take. An HTTP/1 connection on
// which a request times out is closed. An HTTP/2 connection is not: without pings, every request to a peer that has vanished
// without a word would time out on it, for as long as TCP retransmits (some 15 minutes).
const (
	pingAfter   = 2 * time.Second
	pingTimeout = 2 * time.Second
)

// NewTransport returns a copy of http.DefaultTransport that gives up connections to a dead peer within some seconds.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	return t
}
