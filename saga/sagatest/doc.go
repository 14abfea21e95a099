// Package sagatest explores how a saga ends when things go wrong, and finds the mistakes in plans that reviews miss.
//
// The explorer runs a workflow in Temporal's test environment, over fakes of the systems that its activities act on. It
// first runs the workflow undisturbed, and then again for every activity and every disturbance: the call is refused, broken,
// takes effect without a response, hangs and takes effect when all is over; the workflow is cancelled or given up by an
// operator at that moment; the worker dies and the workflow task is lost. It also unwinds the saga, and disturbs each undo in
// the same ways. Pairs of disturbances follow, and random schedules of up to eight.
//
// The fakes need no faults of their own: the explorer sits between the workflow and its activities. They only have to say
// what is in effect:
//
//	func TestTrip(t *testing.T) {
//		sagatest.Explore(t, sagatest.Saga{
//			Workflow: Trip,
//			Args:     []any{"Rome"},
//			World: func() sagatest.World {
//				f := newFakes()
//				return sagatest.World{Activities: []any{f}, InEffect: func() any { return f.bookings() }}
//			},
//		})
//	}
//
// Three promises are checked after each trial. The workflow ends. If the saga went forward, what is in effect equals what an
// undisturbed saga leaves: nothing is missing, nothing happened twice. If it was unwound, what is in effect equals a fresh
// world: nothing stayed in effect, not even through a late call. [World] Invariants add promises of your own.
//
// A finding names the schedule that led to it, such as
//
//	forward: BookHotel#1 response lost; CancelFlight#1 task lost
//
// Set SAGATEST_SCHEDULE to it to run that trial alone. SAGATEST_PAIRS and SAGATEST_RANDOM set how many pairs and random
// schedules there are, SAGATEST_SEED their choice; with -short there are fewer. A random schedule is reported without the
// disturbances that the finding does not need.
//
// [Find] returns the findings, [Survey] says what there is to explore, and [Run] runs one trial that a test chooses.
//
// # Sagas with a fence in a store
//
// Such a saga promises more, and the explorer asks for it when [Saga] names the Fence: its workflow may forget everything, as
// after a reset to its beginning, at any call and after its end; calls that hang may take effect between the fence and the
// undos; and with Recover, the workflow may be terminated at any call. World Changes say how the world may have changed
// meanwhile: a price, a hold that has expired.
//
// # What a lost task forgets
//
// When the worker dies, the explorer runs the workflow again from the history that a server would have: timers that fired,
// child workflows that ended, signals, cancel requests, and the results of activities that the workflow had received when its
// last complete workflow task ended. What local activities did inside the lost task is forgotten. A child workflow that was
// under way runs again over its own history. A workflow that does not wait again for what it once received is not
// deterministic, and is reported.
//
// # What it does not see
//
// Activities run one at a time, so fakes are not tested for races. Nexus operations, updates and side effects are neither
// disturbed nor remembered across a lost task. The future of a child workflow cannot be added to a selector. No operator
// skips a step: what is skipped must be done by hand. The test environment is not a server: run the same plan on a real one
// too.
//
// [GoldenPlan] keeps a plan's shape in a file. [Record] keeps the history of a workflow on a real server, and [Replay] replays
// it.
package sagatest
