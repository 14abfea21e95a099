package stock

import (
	"math"

	"github.com/maypok86/otter/v2"
)

// epochs remembers the epochs of products, so that a reserve need not read them first. With an outdated epoch an update
// misses, and its caller reads the product.
type epochs struct{ cache *otter.Cache[string, int64] }

// maxEpochs bounds the memory: about 100 bytes each.
const maxEpochs = 100_000

func newEpochs() *epochs {
	return &epochs{otter.Must(&otter.Options[string, int64]{MaximumSize: maxEpochs})}
}

// views returns how a new reservation sees the products, provided that all their epochs are known.
func (e *epochs) views(lines []Line) (map[string]View, bool) {
	out := map[string]View{}
	for _, l := range lines {
		epoch, ok := e.cache.GetIfPresent(l.ProductID)
		if !ok {
			return nil, false
		}
		out[l.ProductID] = View{Epoch: epoch, Available: math.MaxInt64}
	}
	return out, true
}

func (e *epochs) learn(productID string, epoch int64) { e.cache.Set(productID, epoch) }
func (e *epochs) forget(productID string)             { e.cache.Invalidate(productID) }
