// Package composetest holds docker-compose.yml and the Dockerfile to the truth, in tests only: nothing runs them where there
// is no Docker engine, so they would rot unseen. The tests know what the programs take (their --help), which files there
// are, which roles and databases PostgreSQL is given, and which versions devstack runs.
package composetest
