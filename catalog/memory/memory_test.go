package memory_test

import (
	"testing"

	"ordersaga/catalog/memory"
	"ordersaga/catalog/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memory.New() })
}
