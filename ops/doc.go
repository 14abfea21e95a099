// Package ops is the program for operators:
//
//	ops deadletters list|show|replay|discard|audit   messages that consumers gave up
//	ops payments check|repair                        does the gateway keep what the orders say
//	ops stock check|repair|movements                 do the catalog's counters agree with its ledger
//
// All commands follow the same rules, and a test holds them to it:
//
//   - What changes something is a dry run unless --apply is given. The dry run needs neither --operator nor --reason, does
//     everything but the change, and says what --apply would do.
//   - --apply requires --operator and --reason. They are recorded before the change: in the stream dead_letter_audit, on the
//     order's timeline, or in the stock's ledger. No change can be applied without a record. A timeline says that money was
//     given back only after the gateway has confirmed it.
//   - --json writes one JSON object a line to stdout. Commands that count end with {"summary": {…}}. Stdout holds nothing
//     else: problems and the progress of long work go to stderr.
//   - The environment says where things are. A command requires only its own variables; --help lists them. Passwords and
//     keys are never printed.
//   - Interrupting or killing a command is safe: each change is complete or can be repeated.
//
// Exit codes:
//
//	0  done: nothing is left to settle, or everything selected was shown or changed
//	1  something differs or could not be done: read the output
//	2  the arguments or the configuration are wrong: nothing was started
//	3  incomplete: a service did not respond or was too busy, or the command was interrupted: run it again
package ops
