// Package saga runs compensating transactions on Temporal. A saga (Garcia-Molina and Salem, 1987) is a sequence of local
// transactions in systems that share no transaction: either all of them take effect, or those that did are compensated.
//
//	plan := saga.Plan{
//		Name: "trip",
//		Steps: []saga.Step{
//			saga.Pair("Flight", saga.Value(trip), a.BookFlight, a.CancelFlight),
//			saga.Pair("Hotel", saga.Value(trip), a.BookHotel, a.CancelHotel),
//		},
//	}
//	outcome, err := plan.Run(ctx, saga.Options{PivotTimeout: time.Hour})
//
// Register the workflow and the activities with a worker as usual, and call [Register] once for each worker.
//
// # The parts of a plan
//
// The terms in brackets are those of Richardson, "Microservices Patterns". Only steps are mandatory, and a plan
// that begins with its pivot does without them.
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
// request arrives while one that would close the workflow runs, the server discards the task's result, and with it the record
// of every local activity that ran inside. The workflow runs again from there, perhaps in another world: it has been cancelled
// meanwhile, its deadline has passed, a product is gone. If it unwound by what it remembers, it would give back nothing of what
// the lost run had reserved and charged; and if the lost run had already passed the pivot, it would undo a finished order.
//
// So all undos of the plan run, whether this run remembers their steps or not. Undos must therefore succeed when there is
// nothing to undo [null compensation], and must leave a mark, a tombstone, that makes a late step fail [hanging call]. And
// something has to decide between the two ends:
//
//   - A plan without a fence has its history as the fence. Before anything that follows from an end, the saga runs a regular
//     activity that does nothing, so the workflow task ends and the server has recorded the decision. That costs a round trip.
//     A pivot then is a regular activity that is neither cancelled nor taken for failed: only its result says whether it has
//     happened.
//   - A plan with a fence has a store that the pivot writes to. The fence is one atomic, guarded statement in that store. Either
//     the pivot has happened, and the saga goes forward; or the fence makes sure that it never will. An undisturbed saga pays
//     nothing for it, and [Plan.Recover] can finish a saga whose workflow and history are gone.
//
// # Refused, broken, failed for good
//
// A step that returns an error made by [Refuse] has received a final no: the saga unwinds at once. An activity in another
// language refuses with an application failure of type [RefusedType]. Every other error means that something is broken: the
// step is retried until it succeeds or is refused, the saga is cancelled, or its deadline passes.
//
// Temporal's own words count too. A non-retryable error, and a bound that the step's Options set (attempts, or the time from
// schedule to close), mean that the step has failed for good: [Step] WhenFailed says whether the saga then unwinds or asks for
// help. An Optional step may be refused or fail, and the saga goes on without it.
//
// Fence, undos, Finish and retriable steps have no deadline and are not cancelled: they run on a disconnected context until
// they succeed. A step or undo that stays broken marks the saga NEEDS_ATTENTION (see [Options]) and is still retried. An
// activity that knows that only a person can help says so with [NeedsAttention], and the saga is marked at once.
//
// # What waits
//
// A step waits only through this package: [Execute], [Do] and [Call] for activities, [ExecuteChild], [ExecuteNexus], [Await],
// [Receive] for signals such as approvals, and [Sleep]. Then the saga's deadline, cancellation, operators' commands and
// patience apply to each of them. What a step awaits in another way is outside the saga.
//
// # What undos know
//
// [Pair] makes a step and its undo from two activities. The undo's activity receives [Undoing]: the step's input, its result if
// the saga knows it, the idempotency key of the step and the cause. A result is unknown when the response was lost; the step may
// have happened all the same, so an undo finds what to undo by the key or the input.
//
// # Side by side, nested, several
//
// A step may hold other steps instead of a function: Together runs them side by side, Sequence one after the other. Plans are
// values, so code can append one step for each leg of a trip.
//
// A step may run another plan. It then obeys the deadline, the cancellation and the operators of the saga around it, and if it
// is unwound, the step is refused. A workflow may also run several plans, one after the other or at the same time: their names
// tell them apart.
//
// # How it ended
//
// Run returns no error only when the saga went forward. When it was unwound, the workflow that returns Run's error fails for
// good, or ends as cancelled when it was cancelled. [Unwound] reads the [Outcome] from such an error, also in the client: the
// first cause with its code, and what became of each undo. Workflows for which a refusal is an outcome return the outcome
// instead.
//
// # Operators
//
// A saga that needs attention says in its current details what fails and which signals help: [SignalRetry],
// [SignalCompensate] and [SignalSkip], each with a [Command] that names the operator and the reason. A signal that makes no
// sense changes nothing, and the details say why. An undo that stays broken does not hold up the other undos.
//
// # The fast path
//
// [Execute] tries an activity as a local activity first, one attempt: an undisturbed saga with a fence is then a single workflow
// task, about as cheap for the server as an empty workflow. If that attempt breaks, the same activity goes on as a regular one,
// with retries that the Temporal Web UI shows, and the saga stays on regular activities from there. The attempt that broke may
// still be running, or may have taken effect: activities must be safe to run twice, also at the same time. Heartbeats and
// another task queue need regular activities; [Step] NoFastPath asks for them, and the worker interceptor [NoFastPath] does so
// for all sagas.
//
// # What happened
//
// [Timeline] tells the fate of each step and undo, and what operators did. It lives in the workflow: plans store it with their
// own transitions, and so still have it when the server has forgotten the workflow. The query [QueryTimeline] returns it too.
package saga
