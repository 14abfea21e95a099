package storetest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
)

// TestMain sets how many random histories are played, unless -rapid.checks does.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		_ = flag.Set("rapid.checks", memoryHistories)
	}
	os.Exit(m.Run())
}

// byRapid lets rapid choose, which can shorten a failing history.
func byRapid(t *rapid.T) chooser {
	return func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }
}

// bySeed chooses fast.
func bySeed(a, b uint64) chooser {
	r := rand.New(rand.NewPCG(a, b))
	return func(_ string, n int) int { return r.IntN(n) }
}

func TestEveryPromiseHoldsWhateverCrashesRepeatsOrComesLate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := options{steps: 60, sold: rapid.Bool().Draw(rt, "sold")}
		if err := play(t.Context(), byRapid(rt), memorytest.New(), o); err != nil {
			rt.Fatal(err)
		}
	})
}

// On the real store, histories are played one after the other: as many as there is time for, but at least 5.
func TestEveryPromiseHoldsOnTheRealStore(t *testing.T) {
	t.Parallel()
	for part := range historyParts {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			t.Parallel()
			s := InMongoDB(t)
			deadline, n := time.Now().Add(historyTime), 0
			for ; n < historiesEach && (n < 5 || time.Now().Before(deadline)); n++ {
				o := options{prefix: fmt.Sprintf("h%d-", n), steps: 60, lazy: true, sold: n%2 == 1}
				if err := play(t.Context(), bySeed(uint64(n), uint64(7+part)), s, o); err != nil {
					t.Fatalf("history %d: %v", n, err)
				}
			}
			t.Logf("%d histories", n)
		})
	}
}

// limit is how long the checks may take to catch a wrong store.
const limit = 60 * time.Second

func TestTheSameChecksCatchWrongStores(t *testing.T) {
	t.Parallel()
	for name := range memorytest.New().WrongStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := uint64(0); time.Since(began) < limit; seed++ {
				store := memorytest.New()
				o := options{steps: 100, wrong: store.WrongStores()[name], sold: seed%2 == 1}
				if err := play(t.Context(), bySeed(seed, 1), store, o); err != nil {
					promise, _, _ := strings.Cut(err.Error(), "\n")
					t.Logf("caught in history %d after %s: %s", seed+1, time.Since(began), promise)
					return
				}
			}
			t.Errorf("not caught within %s", limit)
		})
	}
}

func TestALateTakeIsCaughtWhereEpochsAreIgnored(t *testing.T) {
	t.Parallel()
	store := memorytest.New()
	create(t, store, sample("kettle"))
	wrong := store.WrongStores()["ignores the epoch"].Over(store)
	if err := lateTake(t.Context(), wrong, "kettle"); !errors.Is(err, errTakenTwice) {
		t.Errorf("got %v, want the take that came late", err)
	}
}
