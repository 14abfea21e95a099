package linearizability

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/storetest"
)

func TestResponsesToConcurrentClientsCanBeExplained(t *testing.T) {
	t.Parallel()
	for seed := range uint64(memoryHistories) {
		if err := (history{seed: seed, clients: 6, calls: 25}).run(t.Context(), memorytest.New()); err != nil {
			t.Fatalf("history %d: %v", seed, err)
		}
	}
}

func TestResponsesToConcurrentClientsOfTheRealStoreCanBeExplained(t *testing.T) {
	t.Parallel()
	store := storetest.InMongoDB(t)
	for seed := range uint64(mongoHistories) {
		h := history{prefix: fmt.Sprintf("h%d-", seed), seed: seed, clients: 6, calls: 25}
		if err := h.run(t.Context(), store); err != nil {
			t.Fatalf("history %d: %v", seed, err)
		}
	}
}

// limit is how long the checker may take to catch a wrong store.
const limit = 60 * time.Second

// The other wrong stores only show when calls stall or die at the wrong moment. The random histories of package storetest
// catch those.
func TestWrongStoresAreCaught(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"reads, modifies and writes", "keeps no tombstone", "forgets the IDs of returns", "admits returns in any generation",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := uint64(0); time.Since(began) < limit; seed++ {
				store := memorytest.New()
				wrong := store.WrongStores()[name]
				if err := (history{seed: seed, clients: 6, calls: 25, wrong: wrong}).run(t.Context(), store); err != nil {
					t.Logf("caught in history %d after %s: %v", seed+1, time.Since(began), err)
					return
				}
			}
			t.Errorf("not caught within %s", limit)
		})
	}
}
