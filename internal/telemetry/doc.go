// Package telemetry sends a program's metrics and traces to where operators look. Other packages measure and trace through
// OpenTelemetry's API and its global providers; only this one knows where the results go. Start is called once, before the
// rest of the program (package program does it).
//
// Metrics are at GET /metrics for Prometheus, in every program. With OTEL_EXPORTER_OTLP_ENDPOINT, metrics and traces are also
// sent there. Without it nothing is traced, but the trace context that a client sends still travels with its order.
//
// # What survives a process that is killed
//
// A span is sent when it has ended. A process that is killed takes its open spans along, and those of its last second. What
// hangs on them would then be without a parent. Within a process, spans are therefore sent together with the outermost one
// (together). Between processes there are two kinds of spans:
//
//   - Marks are facts of the workflow's history: "the order was taken up", "the step was scheduled". A mark's ID follows from
//     the run of the workflow (Mark), and any worker that takes over a saga records its marks again, the same ones.
//   - Attempts are what happened, with the time that it took. Their IDs are random, and one that was killed is missing.
//
// Context that leaves the process (headers of HTTP requests and messages) names the mark, not the attempt (Lasting). So an
// attempt and what it caused elsewhere are next to each other, below the step's mark.
package telemetry
