package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// How the key set is fetched.
const (
	refreshInterval = 10 * time.Minute // a key that the server drops is accepted for this long at most
	fetchPause      = time.Second      // between two fetches, whatever clients send and whether the key server responds or not
	fetchTimeout    = 5 * time.Second
	fetchPatience   = 3 * time.Second // how long a request waits for fetches
	maxKeySet       = 1 << 20         // bytes
)

var (
	// errUnknownKey means that a token may be signed with a key that the known set does not have.
	errUnknownKey = errors.New("the key set has no such key")
	// errKeys means that a token cannot be checked now, because the key server does not say which keys there are.
	errKeys = errors.New("the key set is not available")
	// errNoKeys means that a key set has no key that could sign a token.
	errNoKeys = errors.New("the key set has no usable key")
)

// keySet has the keys of a key server. Its run fetches them again and again, independent of requests: when it starts, every
// refreshInterval, every fetchPause while the server is down, and soon after a request with a token of an unknown key. Such a
// token is refused only after a fetch that began later than the request, because its key may be new.
type keySet struct {
	fetch  func(context.Context) (jwt.Keyfunc, error)
	log    *slog.Logger
	wanted chan struct{} // has room for one: a request waits for the next fetch

	mu    sync.Mutex
	keys  jwt.Keyfunc   // of the last set; nil: none
	began time.Time     // when the fetch of the last set began
	err   error         // of the last fetch
	ended chan struct{} // closed when the next fetch has ended
}

func newKeySet(fetch func(context.Context) (jwt.Keyfunc, error), log *slog.Logger) *keySet {
	return &keySet{fetch: fetch, log: log, wanted: make(chan struct{}, 1), ended: make(chan struct{})}
}

// run keeps the set up to date until ctx is done.
func (s *keySet) run(ctx context.Context) {
	for {
		ok := s.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(fetchPause):
		}
		if !ok {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wanted:
		case <-time.After(refreshInterval - fetchPause):
		}
	}
}

// refresh fetches the set once and reports whether that succeeded. It logs when the key server stops responding and when it
// responds again. Without a response the last set stays valid.
func (s *keySet) refresh(ctx context.Context) (ok bool) {
	select {
	case <-s.wanted: // by requests that are older than this fetch
	default:
	}
	began := time.Now()
	fetching, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := s.fetch(fetching)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil && s.err == nil:
		s.log.Warn("the key set cannot be fetched; asking again every second", "error", err.Error())
	case err == nil && s.err != nil:
		s.log.Info("the key set was fetched again")
	}
	if err == nil || errors.Is(err, errNoKeys) {
		s.keys, s.began = keys, began
	}
	s.err = err
	close(s.ended)
	s.ended = make(chan struct{})
	return err == nil
}

// known returns the last set and when its fetch began. If there is none, every key is unknown.
func (s *keySet) known() (jwt.Keyfunc, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		return func(*jwt.Token) (any, error) { return nil, errUnknownKey }, s.began
	}
	return s.keys, s.began
}

// next returns the set after one whose fetch began at a time, and waits for it until ctx is done. It returns errKeys if there is
// none until then, or if the last fetch failed.
func (s *keySet) next(ctx context.Context, seen time.Time) (jwt.Keyfunc, time.Time, error) {
	for {
		s.mu.Lock()
		keys, began, err, ended := s.keys, s.began, s.err, s.ended
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, began, fmt.Errorf("%w: %w", errKeys, err)
		case began.After(seen):
			return keys, began, nil
		}
		select {
		case s.wanted <- struct{}{}:
		default: // another request waits already
		}
		select {
		case <-ctx.Done():
			return nil, began, fmt.Errorf("%w: %w", errKeys, ctx.Err())
		case <-ended:
		}
	}
}

// ready returns an error if there are no keys, so that no token can be checked.
func (s *keySet) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.keys != nil:
		return nil
	case s.err != nil:
		return fmt.Errorf("%w: %w", errKeys, s.err)
	}
	return errKeys
}

// fetchKeys returns a function that fetches the key set at a URL.
func fetchKeys(url string, log *slog.Logger) func(context.Context) (jwt.Keyfunc, error) {
	return func(ctx context.Context) (jwt.Keyfunc, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("GET %s: %s", url, res.Status)
		}
		var set jwkset.JWKSMarshal
		if err := json.NewDecoder(io.LimitReader(res.Body, maxKeySet)).Decode(&set); err != nil {
			return nil, fmt.Errorf("GET %s: not a key set: %w", url, err)
		}
		return usable(ctx, set, log)
	}
}

// usable returns the keys of a set. As RFC 7517 demands (section 5), it ignores those that it cannot use.
func usable(ctx context.Context, set jwkset.JWKSMarshal, log *slog.Logger) (jwt.Keyfunc, error) {
	storage, count := jwkset.NewMemoryStorage(), 0
	for _, k := range set.Keys {
		key, err := jwkset.NewJWKFromMarshal(k, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		switch {
		case err != nil:
			log.Warn("a key of the key set is ignored", "kid", k.KID, "error", err.Error())
		case k.USE == jwkset.UseEnc: // not for signatures
		default:
			if err := storage.KeyWrite(ctx, key); err != nil {
				return nil, err
			}
			count++
		}
	}
	if count == 0 {
		return nil, errNoKeys
	}
	keys, err := keyfunc.New(keyfunc.Options{Storage: storage})
	if err != nil {
		return nil, err
	}
	return func(t *jwt.Token) (any, error) {
		key, err := keys.Keyfunc(t)
		if errors.Is(err, jwkset.ErrKeyNotFound) {
			err = errUnknownKey
		}
		return key, err
	}, nil
}
