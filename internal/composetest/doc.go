// Package composetest tests docker-compose.yml and the Dockerfile without a Docker engine. It compares them with the programs'
// --help, the files in the checkout, the roles and databases of PostgreSQL, and the versions that devstack runs.
package composetest
