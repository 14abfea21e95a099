package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
)

// maxKeyLength is Stripe's limit for idempotency keys.
const maxKeyLength = 255

// response is what the client gets: a status and a JSON body.
type response struct {
	status   int
	body     []byte
	replayed bool
}

// fingerprint is equal for equal requests. Encode sorts the parameters.
func fingerprint(method, path string, params url.Values) string {
	sum := sha256.Sum256([]byte(method + " " + path + "\n" + params.Encode()))
	return hex.EncodeToString(sum[:])
}

// once runs effect and stores its response under the key, in one transaction. If the key is known, it returns the stored
// response instead. Without a key it only runs effect. If the response is not to be stored, the effect is rolled back.
func (g *Gateway) once(
	ctx context.Context, key, print string, effect func(pgx.Tx) (response, bool, error),
) (r response, err error) {
	err = pgx.BeginFunc(ctx, g.db, func(tx pgx.Tx) error {
		if key != "" {
			known, err := g.claim(ctx, tx, key, print)
			if err != nil {
				return err
			}
			if known != nil {
				r = *known
				return nil
			}
		}
		var store bool
		var err error
		if r, store, err = effect(tx); err != nil {
			return err
		}
		if !store {
			return errNotStored
		}
		if key == "" {
			return nil
		}
		_, err = tx.Exec(ctx, `UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1`, key, r.status, r.body)
		return err
	})
	if errors.Is(err, errNotStored) {
		return r, nil
	}
	return r, err
}

// errNotStored rolls back a call whose response says that it did not begin.
var errNotStored = errors.New("not stored")

// claim reserves the key for this transaction, or returns the response stored under it. The insert waits for another
// process's transaction with the same key.
func (g *Gateway) claim(ctx context.Context, tx pgx.Tx, key, print string) (*response, error) {
	now := g.now()
	if _, err := tx.Exec(ctx, forgetKeys, key, now.Add(-g.options.KeyLife)); err != nil {
		return nil, fmt.Errorf("forget old idempotency keys: %w", err)
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
	stored := response{replayed: true}
	var first string
	if err := tx.QueryRow(ctx, `SELECT fingerprint, status, body FROM idempotency_keys WHERE key = $1`, key).
		Scan(&first, &stored.status, &stored.body); err != nil {
		return nil, fmt.Errorf("read a stored response: %w", err)
	}
	if first != print {
		return nil, keyReused(key)
	}
	return &stored, nil
}

// forgetKeys deletes the key if it has expired, and a few others, so that the table does not grow.
const forgetKeys = `
	DELETE FROM idempotency_keys WHERE created_at <= $2 AND (key = $1 OR key IN (
		SELECT key FROM idempotency_keys WHERE created_at <= $2 ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED))`
