// Package workflows is the order saga: what happens, in which order, and what undoes it. How a saga runs is the saga
// package's matter, how each step acts is the activities package's.
//
// CreateOrder takes one order from its request to its end. RecoverOrder does the same for an order of which the
// CreateOrder workflow was terminated or failed, and RecoverOrders, run by a schedule, finds those.
//
// Nothing here decides from memory how an order ends. Status and reason always come from the order's row, which the
// activities CreateOrder, ConfirmOrder, CloseOrder and FinishOrder return: a run that has lost its memory (see package
// saga) can then not announce another end than the first run did.
package workflows
