//go:build long

package postgres_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// seed is a mistake in the books: in each change, new replaces old in a file. The test that is named must fail.
type seed struct {
	mistake string
	test    string
	changes []change
}

type change struct{ file, old, new string }

const (
	schema   = "migrations/00002_books.sql"
	lockFor  = "`SELECT FROM orders WHERE id = @order::uuid FOR NO KEY UPDATE`"
	isAnswer = "AND NOT EXISTS (SELECT FROM refunds WHERE id = @id::uuid)\n)"
	counts   = "r.status <> 'REFUSED' AND NOT r.late\n) AS back"
)

// Could the contract fail? Each mistake is patched into a copy of the source, which only the tests of that mistake are built
// from.
var seeds = []seed{
	{"lock and sum in one statement", "many bookings at once", []change{
		{"refunds.go", lockFor, "`SELECT @order::uuid`"},
		{"bookrefund.go", isAnswer, strings.TrimSuffix(isAnswer, "\n)") + " FOR NO KEY UPDATE\n)"}}},
	{"no lock", "ship and cancel one unit at once", []change{{"refunds.go", lockFor, "`SELECT @order::uuid`"}}},
	{"no guard of the money", "the books refuse", []change{{"bookrefund.go", "amount > money_left OR ", ""}}},
	{"no guard of the units", "the books refuse", []change{
		{"bookrefund.go", "WHEN EXISTS (SELECT FROM lines WHERE quantity > unreturned) THEN 'QUANTITY_TOO_LARGE'", ""},
		{"bookrefund.go", "WHEN EXISTS (SELECT FROM lines WHERE quantity > units_left)", "WHEN false"}}},
	{"each part is rounded by itself", "TestThePartsOfALineAddUpToIt", []change{{schema,
		`CASE WHEN back + quantity >= bought THEN worth - back_worth
        ELSE greatest(0, div(worth::numeric * (back + quantity), bought)::bigint - back_worth)
    END`,
		"div(worth::numeric * (back + quantity), bought)::bigint - div(worth::numeric * back, bought)::bigint"}}},
	{"the rank is not checked", "a refund's status only climbs", []change{
		{"refunds.go", " AND refund_rank(status) < refund_rank(@status::text)", ""}}},
	{"the version is not checked", "only the version that was announced", []change{
		{"refunds.go", "version = @version::bigint AND NOT settled", "@version::bigint > 0 AND NOT settled"}}},
	{"facts are guarded", "a refund that was refused and had happened", []change{
		{schema, "AFTER INSERT ON refunds", "AFTER INSERT OR UPDATE ON refunds"},
		{schema, "WHEN (NEW.status = 'BOOKED') EXECUTE FUNCTION guard_booking", "EXECUTE FUNCTION guard_booking"},
		{schema, "NEW.kind <> 'OUTSIDE' AND NEW.amount > 0", "NEW.amount > 0"}}},
	{"a late refund takes its units", "a refund that was refused and had happened", []change{
		{schema, counts, "r.status <> 'REFUSED'\n) AS back"}}},
	{"a failed refund gives its units free", "a failed refund keeps its units", []change{
		{schema, counts, "r.status NOT IN ('REFUSED', 'FAILED') AND NOT r.late\n) AS back"}}},
	{"a failed refund keeps its money", "a failed refund keeps its units", []change{
		{"bookrefund.go", "status IN ('BOOKED', 'PENDING', 'SUCCEEDED')", "status <> 'REFUSED'"}}},
	{"a failed refund is replaced twice", "a failed refund keeps its units", []change{
		{"bookrefund.go", "AND NOT EXISTS (SELECT FROM refunds r WHERE r.replaces = f.id AND r.status <> 'REFUSED' AND NOT r.late)", ""}}},
	{"shipping ignores cancellations", "what was cancelled cannot be shipped", []change{
		{"shipments.go", "bought - cancelled - shipped", "bought - shipped"}}},
	{"cancelling ignores shipments", "what was shipped cannot be cancelled", []change{
		{"bookrefund.go", "bought - cancelled - b.shipped", "bought - cancelled"}}},
	{"returns ignore shipments", "only what was shipped comes back", []change{
		{"bookrefund.go", "WHEN o.shipped THEN b.shipped - returned", ""}}},
	{"disputes are ignored", "the books refuse", []change{{"bookrefund.go", "'GATEWAY' AND disputed", "'GATEWAY' AND false"}}},
	{"a closed dispute opens again", "a closed dispute stays closed", []change{{"disputes.go", "WHERE NOT d.closed AND", "WHERE"}}},
	{"the window is ignored", "the books refuse", []change{
		{"bookrefund.go", "updated_at < @since::timestamptz", "updated_at < @since::timestamptz - interval '1 s'"}}},
	{"units of a booking move", "units move once", []change{
		{"refunds.go", "units = 'DUE' AND status IN ('PENDING', 'SUCCEEDED', 'FAILED')", "units = 'DUE'"}}},
	{"a refund of another payment is booked", "a refund made at the gateway", []change{
		{"refunds.go", "AND payment_id = @payment::text", "AND @payment::text <> ''"}}},
}

func TestEveryMistakeInTheBooksIsFound(t *testing.T) {
	for _, s := range seeds {
		t.Run(s.mistake, func(t *testing.T) {
			run := exec.CommandContext(t.Context(), seeded(t, s.changes), "-test.timeout", time.Minute.String(),
				"-test.run", "^(TestBooksKeepTheContract|TestThePartsOfALineAddUpToIt)$", "-test.v", "-rapid.nofailfile")
			out, err := run.CombinedOutput()
			t.Logf("%q", failed.FindAllString(string(out), -1))
			test := "--- FAIL: TestBooksKeepTheContract/" + strings.ReplaceAll(s.test, " ", "_")
			if strings.HasPrefix(s.test, "Test") {
				test = "--- FAIL: " + s.test
			}
			if err == nil || !strings.Contains(string(out), test) || !strings.Contains(string(out), "--- PASS: TestBooksKeep") {
				t.Errorf("want %q, and other tests to pass: %v\n%s", test, err, out)
			}
		})
	}
}

var failed = regexp.MustCompile("--- FAIL: .*")

// seeded builds the tests of this package over the patched source.
func seeded(t *testing.T, changes []change) string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	for _, change := range changes {
		source, ok := files[change.file]
		if !ok {
			b, err := os.ReadFile(change.file)
			if err != nil {
				t.Fatal(err)
			}
			source = string(b)
		}
		if n := strings.Count(source, change.old); n != 1 {
			t.Fatalf("%s: the code to be replaced is there %d times: %s", change.file, n, change.old)
		}
		files[change.file] = strings.Replace(source, change.old, change.new, 1)
	}
	overlay := map[string]string{}
	for file, source := range files {
		original, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		overlay[original] = filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(overlay[original], []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	config, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "seeded.test")
	if err := os.WriteFile(config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", config, "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
