package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// keyServer is a key server whose keys, speed and outages a test controls.
type keyServer struct {
	mu      sync.Mutex
	set     jwkset.JWKSMarshal
	takes   time.Duration
	down    bool
	fetched int
	log     *slog.Logger
}

func (s *keyServer) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *keyServer) fetches() (n int) {
	s.change(func() { n = s.fetched })
	return n
}

func (s *keyServer) fetch(ctx context.Context) (jwt.Keyfunc, error) {
	s.mu.Lock()
	set, takes, down := s.set, s.takes, s.down
	s.fetched++
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(takes):
	}
	if down {
		return nil, errors.New("connection refused")
	}
	return usable(ctx, set, s.log)
}

// private returns the private key of a name.
func private(kid string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, kid)
	return ed25519.NewKeyFromSeed(seed)
}

// serve makes these the server's keys.
func (s *keyServer) serve(kids ...string) {
	s.change(func() {
		s.set = jwkset.JWKSMarshal{}
		for _, kid := range kids {
			s.set.Keys = append(s.set.Keys, jwkset.JWKMarshal{
				KTY: jwkset.KtyOKP, CRV: jwkset.CrvEd25519, KID: kid,
				X: base64.RawURLEncoding.EncodeToString(private(kid).Public().(ed25519.PublicKey)),
			})
		}
	})
}

// bubble runs a test on a fake clock, with an authenticator that fetches the keys of a server.
func bubble(t *testing.T, test func(t *testing.T, a *Authenticator, s *keyServer), logs ...*bytes.Buffer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		if len(logs) > 0 {
			log = slog.New(slog.NewTextHandler(logs[0], nil))
		}
		s := &keyServer{log: log}
		a := New(Config{Mode: ModeJWT, JWKSURL: "http://keys", Issuer: "https://issuer"}, "doors", log)
		a.set.fetch = s.fetch
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		running.Go(func() {
			time.Sleep(time.Millisecond) // the test prepares the server first
			a.Run(ctx)
		})
		test(t, a, s)
	})
}

// signed returns a token that is signed with the key of a name, which its header names unless it is hidden.
func signed(t *testing.T, kid string, hidden bool, expires time.Duration) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "https://issuer", "aud": "doors", "sub": "alice", "exp": time.Now().Add(expires).Unix(),
	})
	if !hidden {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(private(kid))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// status returns the status of a request with a token: 200 unless it is refused.
func status(t *testing.T, a *Authenticator, token string) int {
	t.Helper()
	_, p := a.token(t.Context(), "Bearer "+token)
	if p == nil {
		return 200
	}
	if p.Status == 503 && p.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	return p.Status
}

func want(t *testing.T, a *Authenticator, what, token string, want int) {
	t.Helper()
	if got := status(t, a, token); got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}

func TestTokensWaitForAKeyServerThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
		s.serve("one")
		s.change(func() { s.down = true })
		token := signed(t, "one", false, time.Hour)
		for range 60 {
			want(t, a, "the key server is down", token, 503)
			if a.Ready(t.Context()) == nil {
				t.Error("ready without keys")
			}
			time.Sleep(time.Second)
		}
		s.change(func() { s.down = false })
		time.Sleep(fetchPause + time.Millisecond) // no request is needed
		if err := a.Ready(t.Context()); err != nil {
			t.Error("the keys are there:", err)
		}
		want(t, a, "the key server is back", token, 200)
	}, &logs)
	if n := strings.Count(logs.String(), "cannot be fetched"); n != 1 {
		t.Errorf("the outage is logged %d times:\n%s", n, logs.String())
	}
}

func TestNewKeysAreKnownAtOnceHoweverOftenTheyRotate(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{0, 1500 * time.Millisecond} {
		bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
			s.change(func() { s.takes = takes })
			for i, kid := range []string{"one", "two", "three", "four"} {
				s.serve(kid)
				want(t, a, kid, signed(t, kid, i%2 == 1, time.Hour), 200)
			}
			want(t, a, "a key that is no longer served", signed(t, "one", false, time.Hour), 401)
		})
	}
}

func TestNoAnswerOfTheKeyServerIsNoReasonToRefuseAToken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
		s.serve("one")
		want(t, a, "the first key", signed(t, "one", false, time.Hour), 200)
		s.serve("one", "two")
		s.change(func() { s.takes = 4 * time.Second }) // longer than a request waits
		began := time.Now()
		want(t, a, "a new key at a slow server", signed(t, "two", false, time.Hour), 503)
		if waited := time.Since(began); waited > fetchPatience {
			t.Errorf("the request waited for %s", waited)
		}
		time.Sleep(3 * time.Second)
		want(t, a, "the new key, later", signed(t, "two", false, time.Hour), 200)

		s.serve("one", "two", "three")
		s.change(func() { s.takes, s.down = 0, true })
		want(t, a, "a new key while the server is down", signed(t, "three", false, time.Hour), 503)
		began = time.Now()
		want(t, a, "again", signed(t, "three", false, time.Hour), 503)
		want(t, a, "an expired token", signed(t, "three", false, -time.Hour), 401)
		want(t, a, "a known key", signed(t, "two", false, time.Hour), 200)
		if waited := time.Since(began); waited > 0 {
			t.Errorf("requests wait for a server that is known to be down: %s", waited)
		}
		if err := a.Ready(t.Context()); err != nil {
			t.Error("tokens of known keys can be checked:", err)
		}
	})
}

func TestForgedTokensDoNotFloodTheKeyServer(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
		s.serve("one")
		want(t, a, "the first key", signed(t, "one", false, time.Hour), 200)
		var asking sync.WaitGroup
		for range 200 {
			asking.Go(func() { want(t, a, "a forged key", signed(t, "forged", false, time.Hour), 401) })
		}
		asking.Wait()
		if n := s.fetches(); n > 3 {
			t.Errorf("200 forged tokens at once made %d fetches", n)
		}
	})
}

func TestKeysThatTheServerDropsAreForgotten(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
		s.serve("one", "two")
		old := signed(t, "one", false, time.Hour)
		want(t, a, "the first key", old, 200)
		s.serve("two")
		time.Sleep(refreshInterval + time.Second)
		want(t, a, "a dropped key", old, 401)
		s.serve() // revokes all
		time.Sleep(refreshInterval + time.Second)
		want(t, a, "no keys", signed(t, "two", false, time.Hour), 503)
		if a.Ready(t.Context()) == nil {
			t.Error("ready without keys")
		}
	})
}

func TestKeysOfOtherKindsAreIgnored(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, a *Authenticator, s *keyServer) {
		s.serve("encrypts", "signs")
		s.change(func() {
			s.set.Keys[0].USE = jwkset.UseEnc
			s.set.Keys = append(s.set.Keys, jwkset.JWKMarshal{KTY: "LATTICE", KID: "future"}, jwkset.JWKMarshal{KTY: jwkset.KtyEC, KID: "broken"})
		})
		want(t, a, "a key for signatures", signed(t, "signs", false, time.Hour), 200)
		want(t, a, "a key for encryption", signed(t, "encrypts", false, time.Hour), 401)
	})
}
