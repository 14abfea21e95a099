// Package saga runs compensating transactions on Temporal: steps that each change an outside system, an undo for each,
// and a point of no return. It knows nothing of what the steps do.
//
//	plan := saga.Plan{
//		Steps: []saga.Step{
//			{Name: "ReserveStock", Do: s.reserve, Undo: saga.Undo{Name: "ReleaseStock", Do: s.release}},
//			{Name: "ChargePayment", Do: s.charge, Undo: saga.Undo{Name: "RefundPayment", Do: s.refund}},
//		},
//		Pivot:  saga.Step{Name: "ConfirmOrder", Do: s.confirm},
//		Fence:  s.fence,
//		Finish: saga.Step{Name: "FinishOrder", Do: s.finish},
//		Retriable:   []saga.Step{{Name: "PublishEvent", Do: s.publish}},
//	}
//	err := plan.Run(ctx, saga.Options{Deadline: 15 * time.Minute})
//
// The way of a saga:
//
//	Steps ──▶ Pivot ───────────────────────────▶ Then
//	  │         │                     ▲           ▲
//	  │ refused, cancelled, too late  │ Forward   │
//	  ▼         ▼                     │           │
//	  Fence ──────────────────────────┘           │
//	    │ Backward                                  │
//	    ▼                                         │
//	  Undos, last first ──▶ Finish ───────────────┘
//
// # Why there is a fence
//
// A workflow cannot know what it has done. When a worker dies in the middle of a workflow task, or a signal or a cancel
// request arrives while one runs, the server discards the task's result, and with it the record of every local activity
// that ran inside. The workflow runs again from there, perhaps in another world: it has been cancelled meanwhile, its
// deadline has passed, a product is gone. If it unwound by what it remembers, it would give back nothing of what the
// lost run had reserved and charged; and if the lost run had already passed the pivot, it would undo a finished order.
//
// So every way into unwinding leads through the Fence: one atomic, guarded statement in the store that the pivot writes
// to. Either the pivot has happened, and the saga goes forward; or the fence makes sure that it never will, and then
// all undos of the plan run, whether this run remembers their steps or not. Undos must therefore succeed when there is
// nothing to undo, and must leave a mark (a tombstone) that makes a late step fail.
//
// # Refused and broken
//
// A step that returns an error made by [Refuse] has got a final no: the saga unwinds at once. Every other error means
// that something is broken: the step is tried again, for ever if it must be, until it succeeds, is refused, the saga is
// cancelled or its deadline passes. Fence, undos, Finish and Then have no deadline and are not cancelled: they run on a
// disconnected context until they succeed. A step or undo that stays broken marks the saga NEEDS_ATTENTION (see
// [Options]) and goes on trying; an activity that knows that only a person can help says so by [NeedsAttention], and the
// saga is marked at once.
//
// # Side by side
//
// A step may hold others in place of a function ([Step] Together): they run side by side, and are undone one after the
// other.
//
// # How it ended
//
// Run returns nil when the saga has come to either end: a refused saga is an outcome, not a failed workflow. A workflow that
// should fail all the same returns the [Report] that Options.Unwound is given, as an error: the first cause, and what has
// become of each undo.
//
// # Operators
//
// A saga in trouble says in its current details what fails and which signals help: [SignalRetry], [SignalCompensate],
// [SignalSkip], each with an [Command] that says who and why. A signal that makes no sense changes nothing; the details say
// why. An undo that stays broken does not keep the other undos waiting.
//
// # The fast path
//
// Inside a step, [Execute] runs an activity. It tries it as a local activity first, one attempt: an undisturbed saga is
// then a single workflow task, about as cheap for the server as an empty workflow. If that attempt breaks, the same
// activity goes on as a regular one, with retries that the Temporal Web UI shows, and the saga stays on regular
// activities from there. The attempt that broke may still be running, or may have taken effect: activities must be safe
// to run twice, also at the same time. [NoFastPath] switches local activities off for a worker.
//
// # What happened
//
// [Timeline] says what has become of each step and undo and what operators did. It lives in the workflow: plans store it with
// their own transitions, and so have it when the server has long forgotten the workflow. The Web UI shows how often an
// activity was attempted.
package saga
