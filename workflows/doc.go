// Package workflows is the order saga: what happens, in which order, and what undoes it. Package saga knows how a saga runs,
// and package activities how each step acts.
//
// CreateOrder takes one order from its request to its end. RecoverOrder finishes an order whose CreateOrder workflow was
// terminated or failed, and RerunOrder one whose row has lost what its workflow wrote. RecoverOrders finds such orders; a
// schedule runs it. StripeEvent settles payment events.
//
// Nothing here decides from memory how an order ends. Status and reason always come from the order's row, which the
// activities CreateOrder, ConfirmOrder, CloseOrder and FinishOrder return. So a run that has lost its memory (see package
// saga) cannot announce another end than the first run did.
package workflows
