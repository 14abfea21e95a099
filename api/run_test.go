package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// The database and Temporal are down: the program starts all the same, says so, and stops when it is asked to.
func TestProgramStartsAndStopsWhileEverythingIsDown(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	logs, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{
			Addr: "127.0.0.1:0", DatabaseURL: "postgres://nobody@127.0.0.1:1/orders", TaskQueue: "orders",
			DefaultPaymentMethod: "pm_card_visa", Auth: withoutTokens, Events: testEvents,
			Temporal: temporalclient.Config{Address: "127.0.0.1:1"},
		}, slog.New(slog.NewJSONHandler(write, nil)))
		write.Close()
	}()
	base := "http://" + listening(t, logs)
	for request, want := range map[string]int{"GET /livez": 200, "GET /readyz": 503, "GET /docs": 200, "GET /orders": 503, "POST /orders": 503} {
		method, path, _ := strings.Cut(request, " ")
		var body io.Reader
		if method == "POST" {
			body = strings.NewReader(twoMugs)
		}
		req, err := http.NewRequestWithContext(ctx, method, base+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got %d %s, want %d", request, res.StatusCode, got, want)
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the program does not stop")
	}
}

// listening reads the log up to the line that says where the program listens, and the rest in the background.
func listening(t *testing.T, logs io.Reader) string {
	t.Helper()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("log line %s: %v", lines.Text(), err)
		}
		if line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, logs) }() // ends when run does
			return line.Addr
		}
	}
	t.Fatal("the program ended before it listened")
	return ""
}
