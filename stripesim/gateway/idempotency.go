package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxKeyLength is Stripe's limit for idempotency keys.
const maxKeyLength = 255

// answer is what goes to the client: a status and a JSON body.
type answer struct {
	status   int
	body     []byte
	replayed bool
}

// fingerprint tells whether two requests under one key are the same. Encode sorts the parameters.
func fingerprint(method, path string, params url.Values) string {
	sum := sha256.Sum256([]byte(method + " " + path + "\n" + params.Encode()))
	return hex.EncodeToString(sum[:])
}

// once runs effect and stores its answer under the key, in one transaction; or, when the key is known, returns the
// stored answer without running anything. Without a key it just runs effect. An answer that is not to be stored takes
// the effect with it.
func (g *Gateway) once(ctx context.Context, key, print string, effect func(pgx.Tx) (answer, bool, error)) (answer, error) {
	var a answer
	err := pgx.BeginFunc(ctx, g.pool, func(tx pgx.Tx) error {
		if key != "" {
			known, err := g.claim(ctx, tx, key, print)
			if err != nil || known != nil {
				a = orZero(known)
				return err
			}
		}
		var store bool
		var err error
		if a, store, err = effect(tx); err != nil {
			return err
		}
		if !store {
			return errNotStored
		}
		if key == "" {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1`, key, a.status, a.body)
		return err
	})
	if errors.Is(err, errNotStored) {
		return a, nil
	}
	return a, err
}

// errNotStored rolls a call back that is answered, but did not begin.
var errNotStored = errors.New("not stored")

// claim reserves the key for this transaction, or returns what is stored under it. The insert waits for a transaction
// of another process that holds the same key.
func (g *Gateway) claim(ctx context.Context, tx pgx.Tx, key, print string) (*answer, error) {
	now := g.now()
	if _, err := tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE key = $1 AND created_at <= $2`,
		key, now.Add(-g.options.KeyLife)); err != nil {
		return nil, fmt.Errorf("forget an old idempotency key: %w", err)
	}
	claimed, err := tx.Exec(ctx, `
		INSERT INTO idempotency_keys (key, fingerprint, status, body, created_at) VALUES ($1, $2, 0, '', $3)
		ON CONFLICT (key) DO NOTHING`, key, print, now)
	if err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	if claimed.RowsAffected() == 1 {
		return nil, nil
	}
	stored := answer{replayed: true}
	var first string
	if err := tx.QueryRow(ctx, `SELECT fingerprint, status, body FROM idempotency_keys WHERE key = $1`, key).
		Scan(&first, &stored.status, &stored.body); err != nil {
		return nil, fmt.Errorf("read a stored answer: %w", err)
	}
	if first != print {
		return nil, keyReused(key)
	}
	return &stored, nil
}

func orZero(a *answer) answer {
	if a == nil {
		return answer{}
	}
	return *a
}

// pruneEvery is how often expired keys are deleted; until then they are ignored.
const pruneEvery = time.Minute

// PruneKeys deletes expired idempotency keys from time to time, until ctx is done.
func (g *Gateway) PruneKeys(ctx context.Context) {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := g.pruneOnce(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("expired idempotency keys are not deleted", "error", err.Error())
		}
	}
}

func (g *Gateway) pruneOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := g.pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE created_at <= $1`, g.now().Add(-g.options.KeyLife))
	return err
}

// inUse is the set of keys of which a call is running.
type inUse struct {
	mu   sync.Mutex
	keys map[string]bool
}

// enter adds the key and reports whether it was free. The empty key is always free.
func (u *inUse) enter(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if key == "" {
		return true
	}
	if u.keys[key] {
		return false
	}
	if u.keys == nil {
		u.keys = map[string]bool{}
	}
	u.keys[key] = true
	return true
}

func (u *inUse) leave(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.keys, key)
}
