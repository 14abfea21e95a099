package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
)

func TestAServerThatRespondsThatItCannotServeIsUnavailable(t *testing.T) {
	t.Parallel()
	reply := func(code int32, labels ...string) error { return mongo.CommandError{Code: code, Labels: labels} }
	concern := mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}
	duplicate := mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000}}}
	for _, test := range []struct {
		name        string
		err         error
		unavailable bool
		ready       error // what /readyz says then, unless it is the network's error
	}{
		{"not primary", reply(10107), true, mongodb.NoPrimary},
		{"stepped down while it worked", fmt.Errorf("reserve: %w", reply(189)), true, mongodb.NoPrimary},
		{"interrupted by an election", reply(11602), true, nil},
		{"shutting down", reply(91), true, nil},
		{"no space left", reply(14031), true, mongodb.DiskFull},
		{"its own database is away", reply(1), true, nil},
		{"a majority did not confirm in time", concern, true, nil},
		{"an unknown code that the server calls retryable", reply(20001, "RetryableWriteError"), true, nil},
		{"overloaded", reply(20002, "SystemOverloadedError"), true, nil},
		{"a time limit", reply(50), true, nil},
		{"a connection lost", reply(0, "NetworkError"), true, nil},
		{"no response in time", context.DeadlineExceeded, true, nil},
		{"a value that the server rejects", reply(2), false, nil},
		{"an ID that is taken", duplicate, false, nil},
		{"a document that is too large", reply(10334), false, nil},
		{"a mistake of ours", errors.New("cannot decode"), false, nil},
	} {
		store, err := mongodb.Open("mongodb://127.0.0.1:1/", "catalog") // nothing listens there
		if err != nil {
			t.Fatal(err)
		}
		if got := store.Unavailable(test.err); got != test.unavailable {
			t.Errorf("%s: unavailable is %t", test.name, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.Ready(ctx); test.ready != nil && !errors.Is(err, test.ready) {
			t.Errorf("%s: ready is %v, want %v", test.name, err, test.ready)
		} else if test.ready == nil && (errors.Is(err, mongodb.NoPrimary) || errors.Is(err, mongodb.DiskFull)) {
			t.Errorf("%s: ready is %v", test.name, err)
		}
		_ = store.Close(t.Context())
	}
}
