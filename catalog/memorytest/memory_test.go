package memorytest_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memorytest.New() })
}
