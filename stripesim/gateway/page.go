package gateway

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"amount":  showAmount,
	"time":    func(t time.Time) string { return t.UTC().Format(time.DateTime) },
	"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"label":   func(status string) string { return strings.ReplaceAll(status, "_", " ") },
}).Parse(pageHTML))

// showAmount writes an amount that Stripe counts: "12.99 USD". It converts where Stripe's smallest unit is not ISO 4217's.
func showAmount(amount int64, code string) string {
	switch {
	case wholeInHundredths[strings.ToLower(code)]:
		amount /= 100
	case code == "MGA":
		amount *= 100
	}
	return moneytext.Plain(money.Money{Amount: amount, Currency: code})
}

// getPage shows the newest payments with their captures and refunds.
func (g *Gateway) getPage(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), callTimeout)
	defer cancel()
	newest, err := g.payments(ctx, `ORDER BY i.seq DESC LIMIT $1`, pageRows)
	var all totals
	if err == nil {
		all, err = g.totals(ctx)
	}
	var body bytes.Buffer
	if err == nil {
		err = pageTemplate.Execute(&body, map[string]any{
			"Payments": newest, "Refunds": refundsOf(newest), "Limit": pageRows, "Totals": all, "Faults": g.faults.list(),
		})
	}
	if err != nil {
		g.log.Error("the page cannot be shown", "error", err.Error())
		c.String(http.StatusInternalServerError, "The ledger cannot be read at the moment.\n")
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, "text/html; charset=utf-8", body.Bytes())
}

// shownRefund is a refund with what the page shows of its payment.
type shownRefund struct {
	Refund
	Payment  string
	Currency string
}

// refundsOf returns the refunds of the payments, newest first.
func refundsOf(payments []PaymentIntent) (all []shownRefund) {
	for _, p := range payments {
		for _, r := range p.Refunds {
			all = append(all, shownRefund{r, p.ID, p.Currency})
		}
	}
	slices.SortStableFunc(all, func(a, b shownRefund) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all
}

// totals count the ledger's rows.
type totals struct{ Payments, Succeeded, Declined, Refunds int }

func (g *Gateway) totals(ctx context.Context) (t totals, err error) {
	err = g.db.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM payment_intents), count(*) FILTER (WHERE status = 'succeeded'),
			count(*) FILTER (WHERE status = 'failed'), (SELECT count(*) FROM refunds)
		FROM charges`).Scan(&t.Payments, &t.Succeeded, &t.Declined, &t.Refunds)
	if err != nil {
		return t, fmt.Errorf("count the ledger: %w", err)
	}
	return t, nil
}

// pageRows is how many payments the page shows.
const pageRows = 200

// last is the last charge, the zero value if there is none.
func (p PaymentIntent) last() (ch Charge) {
	if n := len(p.Charges); n > 0 {
		ch = p.Charges[n-1]
	}
	return ch
}

// DeclineCode is that of the last charge, "" if it was not declined.
func (p PaymentIntent) DeclineCode() string { return p.last().DeclineCode }

// Declined reports whether the last charge was declined and the payment not cancelled since.
func (p PaymentIntent) Declined() bool {
	return p.DeclineCode() != "" && p.Status == requiresPaymentMethod
}

// Method is the payment method of the payment or, once that was declined, of the last charge.
func (p PaymentIntent) Method() string { return cmp.Or(p.PaymentMethod, p.last().PaymentMethod) }
