package stock_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock/stocktest"
)

// TestMain sets how many random histories are played, unless -rapid.checks does.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		_ = flag.Set("rapid.checks", histories)
	}
	os.Exit(m.Run())
}

// byRapid lets rapid choose, which can shorten a failing history.
type byRapid struct{ t *rapid.T }

func (c byRapid) Choose(what string, n int) int { return rapid.IntRange(0, n-1).Draw(c.t, what) }

// bySeed chooses fast.
type bySeed struct{ *rand.Rand }

func (c bySeed) Choose(_ string, n int) int { return c.IntN(n) }

func TestEveryPromiseHoldsWhateverCrashesRepeatsOrComesLate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		if err := stocktest.Play(t.Context(), byRapid{rt}, memorytest.New(), stocktest.Options{Steps: 60}); err != nil {
			rt.Fatal(err)
		}
	})
}

// limit is how long the checks may take to catch a wrong store.
const limit = 60 * time.Second

func TestTheSameChecksCatchWrongStores(t *testing.T) {
	t.Parallel()
	names := stocktest.WrongStores(nil)
	for name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := uint64(0); time.Since(began) < limit; seed++ {
				store := memorytest.New()
				err := stocktest.Play(t.Context(), bySeed{rand.New(rand.NewPCG(seed, 1))}, store, stocktest.Options{
					Steps: 100, Wrong: stocktest.WrongStores(store.Overwrite)[name],
				})
				if err != nil {
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
	if err := store.CreateProduct(t.Context(), product.Product{ID: "kettle", Stock: 2}); err != nil {
		t.Fatal(err)
	}
	err := stocktest.LateTake(t.Context(), stocktest.WrongStores(store.Overwrite)["ignores the epoch"].Over(store), "kettle")
	if err == nil || !strings.Contains(err.Error(), "came late") {
		t.Errorf("got %v, want the take that came late", err)
	}
}
