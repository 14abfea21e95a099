package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/money"
)

func TestStoresKeepTheContract(t *testing.T) {
	t.Parallel()
	for store, open := range map[string]func(*testing.T) Store{
		"in memory":  func(*testing.T) Store { return memorytest.New() },
		"in MongoDB": func(t *testing.T) Store { return InMongoDB(t) },
	} {
		for name, test := range contract {
			t.Run(store+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

var contract = map[string]func(*testing.T, Store){
	"a created product can be read back, once":                   createdOnce,
	"changes touch only what they name":                          changes,
	"changes apply only to the version that was seen":            onlyTheVersionThatWasSeen,
	"a question about nothing has an empty answer":               nothing,
	"a deleted product is gone, and its ID stays taken":          deleted,
	"a product with open holds cannot be deleted":                openHolds,
	"a product is either reserved or deleted":                    deletedOrReserved,
	"listings are filtered, paged and newest first":              listings,
	"large listings are complete and newest first, page by page": largeListings,
	"a reservation is inserted once":                             insertedOnce,
	"a reservation changes only from the state named":            changedFromState,
	"an expired hold does not pass the guard on time":            guardedByTime,
	"due reservations are found by state, time and product":      due,
	"an update applies only where its mark and epoch fit":        updatesAreGuarded,
	"units are taken only while they last":                       takenWhileTheyLast,
	"pruning removes only marks that are still as read":          pruning,
	"a take that arrives after its mark was pruned misses":       takenLate,
	"nothing takes from a product with too many marks":           bounded,
	"a commit after expiry is refused, and the units come back":  committedTooLate,
	"16 clients buy exactly the 100 units that there are":        exactlyAll,
	"a return is admitted and ended in its generation":           changedInGeneration,
	"sold units come back once per return, also of a deletion":   returnedOnce,
	"16 clients return exactly the units that were sold":         exactlyAllBack,
	"a return that arrives after its mark was pruned misses":     returnedLate,
	"an adjustment is inserted and ended once":                   adjustedOnce,
	"a correction changes what is available, once per key":       corrections,
	"an audit raises no false alarm under load":                  noFalseAlarm,
	"an audit finds drifts, and a repair repairs them once":      driftsAreFoundAndRepaired,
}

var day = time.Date(2026, 5, 17, 8, 0, 0, 0, time.UTC)

// sample is a product with 10 units.
func sample(id string) product.Product {
	return product.Product{
		ID: id, Name: "Kettle", Description: "Boils water.", Category: "kitchen",
		Price: money.Money{Amount: 2999, Currency: "EUR"}, Stock: 10, CreatedAt: day, UpdatedAt: day,
	}
}

func create(t *testing.T, s Store, p product.Product) {
	t.Helper()
	if err := s.CreateProduct(t.Context(), p); err != nil {
		t.Fatalf("create %s: %v", p.ID, err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func fails(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// An empty list and no list are the same question.
func nothing(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	for _, none := range [][]string{nil, {}} {
		equal(t, "products", len(must[map[string]product.Product](t)(s.Products(t.Context(), none))), 0)
		equal(t, "views", len(must[map[string]stock.View](t)(s.View(t.Context(), "owner", none))), 0)
		equal(t, "snapshots", len(must[map[string]stock.Snapshot](t)(s.Snapshots(t.Context(), none))), 0)
		equal(t, "marks", len(must[map[string]stock.Mark](t)(s.FinalMarks(t.Context(), "kettle", none))), 0)
		never := func(stock.Reservation) error { return errors.New("a reservation") }
		fails(t, "reservations", s.Reservations(t.Context(), none, time.Time{}, never), nil)
		fails(t, "adjustments", s.Adjustments(t.Context(), none, time.Time{},
			func(stock.Adjustment) error { return errors.New("an adjustment") }), nil)
	}
	equal(t, "due", len(must[[]stock.Reservation](t)(s.Due(t.Context(), stock.Due{}))), 0)
}

func createdOnce(t *testing.T, s Store) {
	p := sample("kettle")
	create(t, s, p)
	again := p
	again.Name, again.Stock = "Other", 99
	fails(t, "create it again", s.CreateProduct(t.Context(), again), product.ErrExists)
	p.Number = 1
	equal(t, "product", must[product.Product](t)(s.Product(t.Context(), "kettle")), p)
	equal(t, "snapshots", must[map[string]stock.Snapshot](t)(s.Snapshots(t.Context(), []string{"kettle", "unknown"})),
		map[string]stock.Snapshot{"kettle": {
			Counters: stock.Counters{ProductID: "kettle", Available: 10, Initial: 10}, Marks: map[string]stock.Mark{},
		}})
	_, err := s.Product(t.Context(), "unknown")
	fails(t, "read an unknown product", err, product.ErrNotFound)
	equal(t, "many", must[map[string]product.Product](t)(s.Products(t.Context(), []string{"unknown", "kettle"})),
		map[string]product.Product{"kettle": p})
}

func changes(t *testing.T, s Store) {
	want := sample("kettle")
	create(t, s, want)
	name, later := "Samovar", day.Add(time.Hour)
	got := must[product.Product](t)(s.ChangeProduct(t.Context(), "kettle", product.Patch{Name: &name}, later))
	want.Name, want.UpdatedAt, want.Number, want.Version = name, later, 1, 1
	equal(t, "with another name", got, want)
	price, empty := money.Money{Amount: 1 << 50, Currency: "JPY"}, ""
	got = must[product.Product](t)(s.ChangeProduct(t.Context(), "kettle",
		product.Patch{Price: &price, Description: &empty, Category: &empty}, later))
	want.Price, want.Description, want.Category, want.Version = price, "", "", 2
	equal(t, "with another price", got, want)
	_, err := s.ChangeProduct(t.Context(), "unknown", product.Patch{Name: &name}, later)
	fails(t, "change an unknown product", err, product.ErrNotFound)
}

// onlyTheVersionThatWasSeen: of two clients that change or delete what both have seen, one wins and the other is told.
func onlyTheVersionThatWasSeen(t *testing.T, s Store) {
	p := sample("kettle")
	p.Version = 1
	create(t, s, p)
	var won, lost atomic.Int32
	count := func(err error) {
		switch {
		case err == nil:
			won.Add(1)
		case errors.Is(err, product.ErrChanged):
			lost.Add(1)
		default:
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			name := fmt.Sprint("Kettle ", n)
			_, err := s.ChangeProduct(t.Context(), "kettle", product.Patch{If: product.Versions{1}, Name: &name}, day)
			count(err)
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("%d changes of one version won, %d lost", won.Load(), lost.Load())
	}
	fails(t, "delete what was changed", s.DeleteProduct(t.Context(), "kettle", product.Versions{1}, day), product.ErrChanged)
	fails(t, "delete no version", s.DeleteProduct(t.Context(), "kettle", product.Versions{}, day), product.ErrChanged)
	name := "Pot"
	_, err := s.ChangeProduct(t.Context(), "kettle", product.Patch{If: product.Versions{}, Name: &name}, day)
	fails(t, "change no version", err, product.ErrChanged)
	service := stock.New(s, stock.Options{})
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", kettles(3), time.Now().Add(time.Hour)))
	must[stock.Reservation](t)(service.Commit(t.Context(), "o1")) // stock is no detail
	must[product.Product](t)(s.ChangeProduct(t.Context(), "kettle", product.Patch{If: product.Versions{7, 2}, Name: &name}, day))
	fails(t, "delete what was seen", s.DeleteProduct(t.Context(), "kettle", product.Versions{3}, day), nil)
	_, err = s.ChangeProduct(t.Context(), "kettle", product.Patch{If: product.Versions{4}, Name: &name}, day)
	fails(t, "change what is deleted", err, product.ErrNotFound)
	fails(t, "delete it again", s.DeleteProduct(t.Context(), "kettle", product.Versions{4}, day), product.ErrNotFound)
}

func deleted(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	fails(t, "delete", s.DeleteProduct(t.Context(), "kettle", nil, day), nil)
	fails(t, "delete again", s.DeleteProduct(t.Context(), "kettle", nil, day), product.ErrNotFound)
	_, err := s.Product(t.Context(), "kettle")
	fails(t, "read", err, product.ErrNotFound)
	name := "Zombie"
	_, err = s.ChangeProduct(t.Context(), "kettle", product.Patch{Name: &name}, day)
	fails(t, "change", err, product.ErrNotFound)
	fails(t, "create", s.CreateProduct(t.Context(), sample("kettle")), product.ErrExists)
	equal(t, "listed", must[int64](t)(s.CountProducts(t.Context(), product.Filter{}, 0)), int64(0))
	if _, ok, err := s.Apply(t.Context(), take("o1", 1, 0)); ok || err != nil {
		t.Errorf("take from a deleted product: %t, %v", ok, err)
	}
	views := must[map[string]stock.View](t)(s.View(t.Context(), "o1", []string{"kettle"}))
	equal(t, "view", views, map[string]stock.View{"kettle": {Available: 10, Deleted: true}})
}

func openHolds(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	service := stock.New(s, stock.Options{})
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", kettles(3), time.Now().Add(time.Hour)))
	fails(t, "delete while units are held", s.DeleteProduct(t.Context(), "kettle", nil, day), product.ErrOpenHolds)
	must[stock.Reservation](t)(service.Commit(t.Context(), "o1"))
	fails(t, "delete after they are sold", s.DeleteProduct(t.Context(), "kettle", nil, day), nil)
	must[stock.Reservation](t)(service.Release(t.Context(), "o1")) // a return finds its product
	equal(t, "units after a return", units(t, service, "kettle"), stock.Units{ProductID: "kettle", Available: 10, Initial: 10})
}

// deletedOrReserved deletes products while clients reserve them: a hold and a deletion never both succeed.
func deletedOrReserved(t *testing.T, s Store) {
	service := stock.New(s, stock.Options{})
	for n := range 20 {
		id := fmt.Sprintf("kettle%d", n)
		create(t, s, sample(id))
		must[stock.Units](t)(service.Units(t.Context(), id))
		var reserved, deleted error
		var both sync.WaitGroup
		both.Go(func() {
			lines := []stock.Line{{ProductID: id, Quantity: 1}}
			_, reserved = service.Reserve(t.Context(), fmt.Sprintf("o%d", n), lines, time.Now().Add(time.Hour))
		})
		both.Go(func() { deleted = s.DeleteProduct(t.Context(), id, nil, day) })
		both.Wait()
		if (reserved == nil) == (deleted == nil) {
			t.Errorf("product %d: reserve: %v, delete: %v; want one of them to succeed", n, reserved, deleted)
		}
	}
}

func listings(t *testing.T, s Store) {
	for i := range 7 {
		p := sample(fmt.Sprintf("p%d", i))
		p.Price.Amount = int64(i) * 100
		p.Name = fmt.Sprintf("Kettle, No. %d", i)
		if i%2 == 1 {
			p.Category = "garden"
		}
		create(t, s, p)
	}
	for name, c := range map[string]struct {
		filter      product.Filter
		skip, limit int
		want        []string
		count       int64
		before      int64
	}{
		"all":                 {product.Filter{}, 0, 10, []string{"p6", "p5", "p4", "p3", "p2", "p1", "p0"}, 7, 0},
		"first page":          {product.Filter{}, 0, 3, []string{"p6", "p5", "p4"}, 7, 0},
		"last page":           {product.Filter{}, 6, 3, []string{"p0"}, 7, 0},
		"after the last page": {product.Filter{}, 9, 3, nil, 7, 0},
		"category":            {product.Filter{Category: "garden"}, 0, 10, []string{"p5", "p3", "p1"}, 3, 0},
		"prices":              {product.Filter{MinPrice: 200, Below: 401}, 0, 10, []string{"p4", "p3", "p2"}, 3, 0},
		"category and price":  {product.Filter{Category: "kitchen", MinPrice: 100}, 0, 2, []string{"p6", "p4"}, 3, 0},
		"nothing":             {product.Filter{Category: "none"}, 0, 10, nil, 0, 0},
		"after the fifth":     {product.Filter{}, 0, 2, []string{"p3", "p2"}, 7, 5},
		"words":               {product.Filter{Words: []string{"kettle"}}, 0, 2, []string{"p6", "p5"}, 7, 0},
		"a name's number":     {product.Filter{Words: []string{"3", "kettle"}}, 0, 2, []string{"p3"}, 1, 0},
		"part of a word":      {product.Filter{Words: []string{"kett"}}, 0, 2, nil, 0, 0},
		"word and category":   {product.Filter{Words: []string{"kettle"}, Category: "garden"}, 0, 2, []string{"p5", "p3"}, 3, 0},
	} {
		var ids []string
		for _, p := range must[[]product.Product](t)(s.ListProducts(t.Context(), product.Query{
			Filter: c.filter, Skip: c.skip, Limit: c.limit, Matches: c.count, Before: c.before,
		})) {
			ids = append(ids, p.ID)
		}
		equal(t, name, ids, c.want)
		equal(t, name+", counted", must[int64](t)(s.CountProducts(t.Context(), c.filter, 0)), c.count)
	}
}

// reservation is a hold of two lines.
func reservation(id string) stock.Reservation {
	return stock.Reservation{
		ID: id, State: stock.Holding, Lines: []stock.Line{{ProductID: "kettle", Quantity: 2}, {ProductID: "lamp", Quantity: 1}},
		ExpiresAt: day.Add(time.Hour), CreatedAt: day, UpdatedAt: day,
	}
}

func insert(t *testing.T, s Store, r stock.Reservation) {
	t.Helper()
	if err := s.Insert(t.Context(), r); err != nil {
		t.Fatalf("insert %s: %v", r.ID, err)
	}
}

func insertedOnce(t *testing.T, s Store) {
	r := reservation("o1")
	insert(t, s, r)
	other := r
	other.Lines = nil
	fails(t, "insert again", s.Insert(t.Context(), other), stock.ErrExists)
	equal(t, "reservation", must[stock.Reservation](t)(s.Reservation(t.Context(), "o1")), r)
	_, err := s.Reservation(t.Context(), "o2")
	fails(t, "read an unknown one", err, stock.ErrNotFound)
	tombstone := stock.Reservation{ID: "o3", State: stock.Released, Why: stock.WhyReleased, CreatedAt: day, UpdatedAt: day}
	insert(t, s, tombstone)
	equal(t, "tombstone", must[stock.Reservation](t)(s.Reservation(t.Context(), "o3")), tombstone)
	equal(t, "final marks", must[map[string]stock.Mark](t)(s.FinalMarks(t.Context(), "kettle", []string{"o1", "o2", "o3"})),
		map[string]stock.Mark{"o1": stock.NoMark, "o3": stock.MarkTombstone})
}

func changedFromState(t *testing.T, s Store) {
	want := reservation("o1")
	insert(t, s, want)
	later := day.Add(time.Minute)
	missed(t, s, stock.Change{ID: "o1", From: stock.Held, To: stock.Sold, At: later})
	missed(t, s, stock.Change{ID: "o2", From: stock.Holding, To: stock.Held, At: later})
	short := []stock.Shortage{{ProductID: "lamp", Requested: 1, Available: 0}}
	got, ok, err := s.Change(t.Context(), stock.Change{
		ID: "o1", From: stock.Holding, To: stock.Releasing, Why: stock.WhyShort, Shortages: short, At: later,
	})
	if !ok || err != nil {
		t.Fatalf("change: %t, %v", ok, err)
	}
	want.State, want.From, want.Why, want.Shortages, want.UpdatedAt =
		stock.Releasing, stock.Holding, stock.WhyShort, short, later
	want.Steps = []stock.Step{{To: stock.Releasing, At: later}}
	equal(t, "changed", got, want)
	equal(t, "stored", must[stock.Reservation](t)(s.Reservation(t.Context(), "o1")), want)
}

func missed(t *testing.T, s Store, c stock.Change) {
	t.Helper()
	if _, ok, err := s.Change(t.Context(), c); ok || err != nil {
		t.Errorf("%+v: %t, %v; want a miss", c, ok, err)
	}
}

func guardedByTime(t *testing.T, s Store) {
	r := reservation("o1")
	r.State = stock.Held
	insert(t, s, r)
	missed(t, s, stock.Change{ID: "o1", From: stock.Held, To: stock.Sold, UnexpiredAt: r.ExpiresAt, At: day})
	_, ok, err := s.Change(t.Context(), stock.Change{
		ID: "o1", From: stock.Held, To: stock.Sold, UnexpiredAt: r.ExpiresAt.Add(-time.Millisecond), At: day,
	})
	if !ok || err != nil {
		t.Errorf("before it expires: %t, %v", ok, err)
	}
}

// adjustedOnce is about the documents of adjustments; the tests of corrections are about the product.
func adjustedOnce(t *testing.T, s Store) {
	want := stock.Adjustment{
		ID: "a1", ProductID: "kettle", Kind: stock.MovedCorrection, Delta: stock.Delta{Available: -2, Restocked: -2, Marks: 1},
		Reason: "broken", State: stock.Pending, CreatedAt: day, UpdatedAt: day,
	}
	fails(t, "insert", s.InsertAdjustment(t.Context(), want), nil)
	other := want
	other.Reason = "lost"
	fails(t, "insert again", s.InsertAdjustment(t.Context(), other), stock.ErrExists)
	equal(t, "adjustment", must[stock.Adjustment](t)(s.Adjustment(t.Context(), "a1")), want)
	_, err := s.Adjustment(t.Context(), "a2")
	fails(t, "read an unknown one", err, stock.ErrNotFound)
	for at, ids := range map[time.Time][]string{day: {"a1"}, day.Add(-time.Millisecond): nil} {
		equal(t, "pending", must[[]string](t)(s.PendingAdjustments(t.Context(), at, 9)), ids)
	}
	later := day.Add(time.Minute)
	for _, won := range []bool{true, false} {
		got, ok, err := s.EndAdjustment(t.Context(), "a1", stock.Refused, 1, later)
		if ok != won || err != nil {
			t.Errorf("end it: %t, %v; want %t", ok, err, won)
		}
		want.State, want.Available, want.UpdatedAt = stock.Refused, 1, later
		if ok {
			equal(t, "ended", got, want)
		}
	}
	insert(t, s, reservation("o1"))
	equal(t, "final marks", must[map[string]stock.Mark](t)(s.FinalMarks(t.Context(), "kettle", []string{"a1", "a2", "o1"})),
		map[string]stock.Mark{"a1": stock.MarkRefused, "o1": stock.NoMark})
	equal(t, "pending after its end", must[[]string](t)(s.PendingAdjustments(t.Context(), later, 9)), []string(nil))
	for name, c := range map[string]struct {
		products []string
		since    time.Time
		want     []string
	}{
		"of the product":            {[]string{"lamp", "kettle"}, time.Time{}, []string{"a1"}},
		"of another product":        {[]string{"lamp"}, time.Time{}, nil},
		"of the product, since now": {[]string{"kettle"}, later, []string{"a1"}},
		"of the product, too late":  {[]string{"kettle"}, later.Add(time.Millisecond), nil},
	} {
		var ids []string
		fails(t, name, s.Adjustments(t.Context(), c.products, c.since, func(a stock.Adjustment) error {
			ids = append(ids, a.ID)
			return nil
		}), nil)
		equal(t, name, ids, c.want)
	}
}

func due(t *testing.T, s Store) {
	for i, state := range []stock.State{
		stock.Holding, stock.Held, stock.Releasing, stock.Sold, stock.Holding, stock.Released, stock.Returning,
	} {
		r := reservation(fmt.Sprintf("o%d", i))
		r.State = state
		r.ExpiresAt = day.Add(time.Duration(i) * time.Minute)
		r.UpdatedAt = day.Add(time.Duration(-i) * time.Minute)
		if i%2 == 1 {
			r.Lines = r.Lines[:1] // no lamp
		}
		insert(t, s, r)
	}
	early := day.Add(-2 * time.Minute)
	for name, c := range map[string]struct {
		query stock.Due
		want  []string
	}{
		"expiring":                   {stock.Due{States: stock.Expiring(), Limit: 9}, []string{"o4", "o1", "o0"}},
		"expired":                    {stock.Due{States: stock.Expiring(), ExpiredBy: day, Limit: 9}, []string{"o0"}},
		"unfinished":                 {stock.Due{States: stock.Unfinished(), Limit: 9}, []string{"o6", "o4", "o2", "o0"}},
		"unfinished, without limit":  {stock.Due{States: stock.Unfinished()}, []string{"o6", "o4", "o2", "o0"}},
		"the oldest":                 {stock.Due{States: stock.Unfinished(), Limit: 1}, []string{"o6"}},
		"unfinished for two minutes": {stock.Due{States: stock.Unfinished(), UnchangedFor: early, Limit: 9}, []string{"o6", "o4", "o2"}},
		"expiring, of a lamp":        {stock.Due{States: stock.Expiring(), ProductID: "lamp", Limit: 9}, []string{"o4", "o0"}},
		"expiring, of a chair":       {stock.Due{States: stock.Expiring(), ProductID: "chair", Limit: 9}, nil},
	} {
		var ids []string
		for _, r := range must[[]stock.Reservation](t)(s.Due(t.Context(), c.query)) {
			ids = append(ids, r.ID)
		}
		equal(t, name, ids, c.want)
	}
}
