package stock_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ordersaga/catalog/memory"
	"ordersaga/catalog/stock/stocktest"
)

// histories is how many random histories TestPromises plays; -rapid.checks overrides it.
const histories = "1000"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		_ = flag.Set("rapid.checks", histories)
	}
	os.Exit(m.Run())
}

// byRapid chooses so that rapid can make a failing history shorter.
type byRapid struct{ t *rapid.T }

func (c byRapid) Choose(what string, n int) int { return rapid.IntRange(0, n-1).Draw(c.t, what) }

// bySeed chooses fast.
type bySeed struct{ *rand.Rand }

func (c bySeed) Choose(_ string, n int) int { return c.IntN(n) }

func TestWhateverCrashesRepeatsOrComesLateEveryPromiseHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		if err := stocktest.Play(t.Context(), byRapid{rt}, memory.New(), stocktest.Options{Steps: 60}); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestTheSameChecksSeeThroughWrongStores(t *testing.T) {
	t.Parallel()
	const limit = 60 * time.Second
	names := stocktest.WrongStores(nil)
	for name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deadline := time.Now().Add(limit)
			for seed := uint64(0); time.Now().Before(deadline); seed++ {
				store := memory.New()
				err := stocktest.Play(t.Context(), bySeed{rand.New(rand.NewPCG(seed, 1))}, store, stocktest.Options{
					Steps: 100, Faulty: stocktest.WrongStores(store.Overwrite)[name],
				})
				if err != nil {
					t.Logf("seen in history %d", seed+1)
					return
				}
			}
			t.Errorf("not seen within %s", limit)
		})
	}
}
