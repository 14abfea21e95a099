package order

import (
	"errors"
	"time"
)

// Limits of a page of orders.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// ErrCursor is returned by stores for a cursor that they did not hand out.
var ErrCursor = errors.New("not a cursor of this list")

// Query selects orders, newest first. Its zero value selects the first page of all orders.
type Query struct {
	UserID int64  // 0: of every user; a caller that serves one user must not let it be 0
	Status Status // "": any
	// ProductID selects the orders that have a line of this product; "": any.
	ProductID string
	// From and To bound when the order was created: at From or later, and before To. Zero: no bound.
	From, To time.Time

	Limit  int    // orders per page; 0 means DefaultPage, and more than MaxPage is cut to it
	Cursor string // where the page before ended, as handed out with it; "" for the first page
}

// PageSize is the number of orders per page that the query asks for, within the limits.
func (q Query) PageSize() int { return PageSize(q.Limit) }

// PageSize brings the limit that a client asked for within the limits of a page.
func PageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}
