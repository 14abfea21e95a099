// Package saga runs compensating transactions on Temporal. A saga (Garcia-Molina and Salem, 1987) is a sequence of local
// transactions in systems that share no transaction: either all of them take effect, or those that did are compensated.
// The package knows nothing about what the steps do.
//
//	plan := saga.Plan{
//		Steps: []saga.Step{
//			{Name: "ReserveStock", Do: s.reserve, Undo: saga.Undo{Name: "ReleaseStock", Do: s.release}},
//			{Name: "ChargePayment", Do: s.charge, Undo: saga.Undo{Name: "RefundPayment", Do: s.refund}},
//		},
//		Pivot:     saga.Step{Name: "ConfirmOrder", Do: s.confirm},
//		Fence:     s.fence,
//		Finish:    saga.Step{Name: "FinishOrder", Do: s.finish},
//		Retriable: []saga.Step{{Name: "PublishEvent", Do: s.publish}},
//	}
//	err := plan.Run(ctx, saga.Options{PivotTimeout: 15 * time.Minute})
//
// # The parts of a plan
//
// The terms in brackets are those of Richardson, "Microservices Patterns".
//
//   - A [Step] changes one outside system and can be taken back [compensatable transaction].
//   - An [Undo] takes a step back [compensating transaction].
//   - The pivot decides [pivot transaction]: once it has happened, the saga only goes forward.
//   - A retriable step runs after the end is decided, and is retried until it succeeds [retriable transaction].
//   - The [Fence] is what the literature leaves to the reader: it makes sure that the pivot can no longer happen, or finds
//     that it has, before anything is undone.
//   - Finish records the end of an unwound saga. Until then the record says that the saga is under way [semantic lock].
//
// How they follow each other:
//
//	Steps ──▶ Pivot ──────────────────────────────▶ Retriable steps
//	  │         │                      ▲               ▲
//	  │ refused, cancelled, too late   │ Forward       │ Ended
//	  ▼         ▼                      │               │
//	  Fence ───────────────────────────┴───────────────┤
//	    │ Backward                                     │
//	    ▼                                              │
//	  Undos, last first ──▶ Finish ────────────────────┘
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
// nothing to undo [null compensation], and must leave a mark, a tombstone, that makes a late step fail [hanging call].
//
// # Refused and broken
//
// A step that returns an error made by [Refuse] has received a final no: the saga unwinds at once. Every other error means
// that something is broken: the step is retried until it succeeds or is refused, the saga is cancelled, or its deadline
// passes. Fence, undos, Finish and retriable steps have no deadline and are not cancelled: they run on a disconnected
// context until they succeed. A step or undo that stays broken marks the saga NEEDS_ATTENTION (see [Options]) and is still
// retried. An activity that knows that only a person can help says so with [NeedsAttention], and the saga is marked at
// once.
//
// # Side by side
//
// A step may hold other steps instead of a function ([Step] Together): they run side by side, and are undone one after
// the other.
//
// # How it ended
//
// Run returns nil when the saga has reached either end: a refused saga is an outcome, not a failed workflow. A workflow that
// should fail all the same returns the [Report] that Options.Unwound receives, as an error: it holds the first cause and
// the outcome of each undo.
//
// # Operators
//
// A saga that needs attention says in its current details what fails and which signals help: [SignalRetry],
// [SignalCompensate] and [SignalSkip], each with a [Command] that names the operator and the reason. A signal that makes no
// sense changes nothing, and the details say why. An undo that stays broken does not hold up the other undos.
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
// [Timeline] tells the fate of each step and undo, and what operators did. It lives in the workflow: plans store it with
// their own transitions, and so still have it when the server has forgotten the workflow. The Web UI shows how often an
// activity was attempted.
package saga
