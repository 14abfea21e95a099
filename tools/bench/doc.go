// Command bench measures what an order costs, on a running stack and beside an empty workflow on the same engine: the
// empty workflow is the least that anything durable costs there, so the distance to it is what the saga itself costs.
// `make bench` runs it on a throw-away stack.
//
// What is measured is a list of modes (modes.go). Each is a closed loop: so many clients, each of which asks for the
// next order as soon as it has the answer to its last one, for the length of a segment (load.go). The machine is never
// quite the same twice, so no mode is measured in one piece: the segments of all modes take turns, in rounds, and every
// second round goes backwards. Ratios are taken within a round, and what is reported is their median and spread.
//
//	empty     a workflow that does nothing: start it, and wait until it has ended
//	fast      the whole order on the fast path, by update-with-start, as the api does it
//	regular   the whole order, every step an activity of its own (FAST_PATH=false)
//	http      the whole order over HTTP, by the api
//	fast-5%   fast, with 5 % of the orders failing; fast-20% likewise
//
// A failing order is one whose card is declined after its stock was held: it has the most to undo. That every order ended
// as it should is checked; one that did not stops the benchmark.
//
// A second list of modes asks how a client best learns the outcome. Client and worker share one process there, as eager
// start needs it, and the order's saga runs on stores in memory, so that the difference is the engine's alone:
//
//	saga-update, saga-wait, saga-eager, empty-wait, empty-eager
//
// With -growth it measures the api's requests instead, while the orders become more (growth.go); `make bench-api`.
//
// CPU time is what the kernel has counted for each program of the stack, PostgreSQL by database (cpu.go). It includes
// the client, and half a second after each segment, for what the engine does when the client has its answer already.
package main
