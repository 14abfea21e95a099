package main

import (
	"fmt"

	"github.com/go-analyze/charts"
)

// The plot's size, in pixels.
const (
	plotWidth  = 1000
	plotHeight = 900
)

// plot draws, as SVG, throughput above latency.
func (r Result) plot() ([]byte, error) {
	rates, latencies := [][]float64{{}}, [][]float64{{}, {}, {}}
	var names []string
	for _, m := range r.Modes {
		names = append(names, m.Name)
		rates[0] = append(rates[0], m.OrdersPerS)
		for i, ms := range []float64{m.P50Ms, m.P95Ms, m.P99Ms} {
			latencies[i] = append(latencies[i], ms)
		}
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: plotWidth, Height: plotHeight})
	p.FilledRect(0, 0, plotWidth, plotHeight, charts.ColorWhite, charts.ColorWhite, 0)
	upper := p.Child(charts.PainterBoxOption(charts.NewBox(0, 0, plotWidth, plotHeight/2)))
	lower := p.Child(charts.PainterBoxOption(charts.NewBox(0, plotHeight/2, plotWidth, plotHeight)))

	durable := "with fsync"
	if !r.Machine.Fsync {
		durable = "without fsync"
	}
	title := fmt.Sprintf("Orders per second: %d clients, %d CPUs, PostgreSQL %s", r.Settings.Concurrency, r.Machine.CPUs, durable)
	if err := bars(upper, title, names, nil, rates); err != nil {
		return nil, err
	}
	if err := bars(lower, "Latency, ms", names, []string{"p50", "p95", "p99"}, latencies); err != nil {
		return nil, err
	}
	return p.Bytes()
}

func bars(p *charts.Painter, title string, categories, series []string, values [][]float64) error {
	o := charts.NewBarChartOptionWithData(values)
	o.Title.Text = title
	o.CategoryAxis.Labels = categories
	if series != nil {
		o.Legend = charts.LegendOption{SeriesNames: series, Offset: charts.OffsetRight}
	}
	for i := range o.SeriesList {
		o.SeriesList[i].Label.Show = charts.Ptr(true)
		o.SeriesList[i].Label.ValueFormatter = func(v float64) string { return fmt.Sprintf("%.0f", v) }
	}
	return p.BarChart(o)
}
