package pgdb

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// PostgreSQL's error codes, from the appendix of its manual. The first two characters are a code's class.
const (
	readOnlyTransaction   = "25006"
	undefinedTable        = "42P01"
	insufficientPrivilege = "42501"
	diskFull              = "53100"

	connectionException   = "08"
	insufficientResources = "53"
	operatorIntervention  = "57P" // the server shuts down, has crashed, starts up, or drops the database
	systemError           = "58"  // outside PostgreSQL: an I/O error, for example
)

// endsSession reports whether an error means that its session, and every other one of that server, is of no more use.
func endsSession(err *pgconn.PgError) bool {
	return err.Code == readOnlyTransaction ||
		strings.HasPrefix(err.Code, operatorIntervention) || strings.HasPrefix(err.Code, connectionException)
}

// outOfResources returns what /readyz says about an error that concerns every statement, not the one that it answered, and
// that a check that only reads would not see. It is empty for any other error.
func outOfResources(err *pgconn.PgError) readiness.Problem {
	switch {
	case err.Code == diskFull:
		return DiskFull
	case strings.HasPrefix(err.Code, insufficientResources), strings.HasPrefix(err.Code, systemError):
		return Short
	}
	return ""
}
