package gateway

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
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
	rows, err := g.recent(ctx)
	var all totals
	if err == nil {
		all, err = g.totals(ctx)
	}
	var body bytes.Buffer
	if err == nil {
		err = pageTemplate.Execute(&body, map[string]any{
			"Payments": rows, "Limit": pageRows, "Totals": all, "Faults": g.faults.list(),
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

// totals count the ledger's rows.
type totals struct{ Payments, Succeeded, Declined, Refunds int }

func (g *Gateway) totals(ctx context.Context) (t totals, err error) {
	err = g.pool.QueryRow(ctx, `
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

// pageRow is one payment on the page.
type pageRow struct {
	ID, OrderID, Status, Currency, Method, DeclineCode string
	Amount, Captured, Refunded                         int64
	CreatedAt                                          time.Time
}

// Declined reports whether the last attempt was declined and the payment not cancelled since.
func (r pageRow) Declined() bool { return r.DeclineCode != "" && r.Status == requiresPaymentMethod }

func (g *Gateway) recent(ctx context.Context) ([]pageRow, error) {
	rows, err := g.pool.Query(ctx, `
		SELECT i.id, coalesce(i.order_id, ''), i.status, upper(i.currency), coalesce(i.payment_method, c.payment_method, ''),
			coalesce(c.decline_code, ''), i.amount, coalesce(c.amount_captured, 0), coalesce(c.amount_refunded, 0), i.created_at
		FROM (SELECT * FROM payment_intents ORDER BY seq DESC LIMIT $1) i
		LEFT JOIN LATERAL (SELECT * FROM charges WHERE payment_intent_id = i.id ORDER BY seq DESC LIMIT 1) c ON true
		ORDER BY i.seq DESC`, pageRows)
	if err != nil {
		return nil, fmt.Errorf("read the newest payments: %w", err)
	}
	defer rows.Close()
	var out []pageRow
	for rows.Next() {
		var r pageRow
		if err := rows.Scan(&r.ID, &r.OrderID, &r.Status, &r.Currency, &r.Method, &r.DeclineCode, &r.Amount, &r.Captured,
			&r.Refunded, &r.CreatedAt); err != nil {
			return nil, fmt.Errorf("read the newest payments: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
