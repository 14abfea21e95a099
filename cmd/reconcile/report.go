package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/bojanz/currency"

	"github.com/ordersaga/ordersaga/internal/money"
)

// report is what a comparison found.
type report struct {
	Orders      int          `json:"orders"`   // compared
	Payments    int          `json:"payments"` // read from the gateway
	Differences []difference `json:"differences"`
}

// left is how many differences are not repaired.
func (r *report) left() int {
	n := 0
	for _, d := range r.Differences {
		if !d.Repaired {
			n++
		}
	}
	return n
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeTable(w io.Writer) error {
	if len(r.Differences) > 0 {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "ORDER\tSTATUS\tWHAT\tTOTAL\tKEPT\tPAYMENT\tREPAIR")
		for _, d := range r.Differences {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.OrderID, orDash(string(d.Status)), d.Kind, amount(d.Total), amount(d.Kept),
				orDash(d.PaymentID), d.repair())
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "Compared: %d orders, %d payments. Differences: %d, of which left: %d.\n",
		r.Orders, r.Payments, len(r.Differences), r.left())
	return err
}

// repair says what became of the difference, or what can be done about it.
func (d difference) repair() string {
	switch {
	case d.Repaired:
		return "given back"
	case d.Failure != "":
		return "failed: " + d.Failure
	case d.Kind.repairable():
		return "--repair gives it back"
	}
	return "by hand"
}

// amount writes an amount as people do, as in 12.99 USD.
func amount(m money.Money) string {
	if m.IsZero() {
		return "–"
	}
	a, err := currency.NewAmountFromInt64(m.Amount, m.Currency)
	if err != nil {
		return fmt.Sprintf("%d minor units of %s", m.Amount, m.Currency)
	}
	return a.String()
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
