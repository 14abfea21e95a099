package ordertest_test

import (
	"testing"
	"time"

	"ordersaga/internal/order/ordertest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	ordertest.Contract(t, func(*testing.T) ordertest.Store { return ordertest.NewMemory(time.Now) })
}
