package workflows_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/ordersaga/ordersaga/saga/sagatest"
)

// The matrix: on each of the two paths through the saga, every disturbance strikes every activity, alone and together with
// every other disturbance on that path, and many strike at random. Package sagatest runs it; SAGATEST_SCHEDULE repeats one
// trial. Every promise must hold at the end.

// stopAt is the environment variable with the promise whose violation ends the exploration. See TestEverySeededBug.
const stopAt = "MATRIX_STOP_AT"

// What make test tries, besides every single disturbance.
const (
	pairsInTest  = 500
	randomInTest = 1500
)

func TestEveryDisturbanceOfEveryStep(t *testing.T) {
	t.Parallel()
	explore(t, sagatest.Bounds{StopAt: os.Getenv(stopAt), Only: os.Getenv("SAGATEST_SCHEDULE")})
}

func TestPairsOfDisturbances(t *testing.T) {
	t.Parallel()
	explore(t, sagatest.Bounds{NoSingles: true, Pairs: pairsTried, Seed: 1})
}

// TestAnyOrderUnderAnyScheduleKeepsEveryInvariant runs schedules of up to eight disturbances, other ones each time. When all
// is over, the workflow is reset or recovered, which must change nothing.
func TestAnyOrderUnderAnyScheduleKeepsEveryInvariant(t *testing.T) {
	t.Parallel()
	explore(t, sagatest.Bounds{NoSingles: true, Random: randomTried, Seed: rand.Int()})
}

func explore(t *testing.T, b sagatest.Bounds) {
	t.Helper()
	for _, f := range sagatest.Find(explored(), b) {
		t.Errorf("%s: promise %q: %s", f.Schedule, f.Promise, f.Problem)
	}
}
