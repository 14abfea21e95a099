package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// Unavailable reports whether an error means that the server could not be reached, did not respond in time, or responded
// that it cannot serve. The call may have had an effect. If it will last, Ready says so for a while.
func (s *Store) Unavailable(err error) bool {
	why, unable := cannotServe(err)
	if why != "" {
		s.recent.Note(why)
	}
	return unable || mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, mongo.ErrClientDisconnected)
}

// Ready returns nil if the server can take writes, otherwise why not: a readiness.Problem where the server itself says so.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.recent.Err(); err != nil {
		return err
	}
	if err := s.client.Ping(ctx, readpref.Primary()); err != nil {
		return fmt.Errorf("ask for the primary: %w", err)
	}
	return nil
}

// What /readyz says about a server that responds.
const (
	NoPrimary = readiness.Problem("no primary")
	DiskFull  = readiness.Problem("disk full")
)

// outages are the codes of MongoDB's errors (src/mongo/base/error_codes.yml) that say nothing about the command, only about
// the server, and what they mean for /readyz: nothing if the next command may well succeed. A server that keeps its documents
// in another database, as FerretDB does, reports that one's outages as internal errors.
var outages = map[int]readiness.Problem{
	189:   NoPrimary, // PrimarySteppedDown
	10107: NoPrimary, // NotWritablePrimary
	10058: NoPrimary, // its name before 4.4
	13435: NoPrimary, // NotPrimaryNoSecondaryOk
	13436: NoPrimary, // NotPrimaryOrSecondary
	133:   NoPrimary, // FailedToSatisfyReadPreference
	14031: DiskFull,  // OutOfDiskSpace
	1:     "",        // InternalError
	6:     "",        // HostUnreachable
	7:     "",        // HostNotFound
	24:    "",        // LockTimeout
	64:    "",        // WriteConcernTimeout
	89:    "",        // NetworkTimeout
	91:    "",        // ShutdownInProgress
	100:   "",        // UnsatisfiableWriteConcern
	146:   "",        // ExceededMemoryLimit
	202:   "",        // NetworkInterfaceExceededTimeLimit
	262:   "",        // ExceededTimeLimit
	462:   "",        // IngressRequestRateLimitExceeded
	9001:  "",        // SocketException
	11600: "",        // InterruptedAtShutdown
	11601: "",        // Interrupted
	11602: "",        // InterruptedDueToReplStateChange
}

// transient are the labels by which servers mark errors that are not the command's fault.
var transient = []string{"RetryableWriteError", "TransientTransactionError", "SystemOverloadedError"}

// cannotServe reports whether a response is about the server and not about the command, and what it means for /readyz.
func cannotServe(err error) (why readiness.Problem, unable bool) {
	var reply mongo.ServerError
	if !errors.As(err, &reply) {
		return "", false
	}
	for _, code := range reply.ErrorCodes() {
		if why, unable = outages[code]; unable {
			return why, true
		}
	}
	return "", slices.ContainsFunc(transient, reply.HasErrorLabel)
}
