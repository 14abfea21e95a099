// Package stacktest tests devstack as a whole. The tests run bin/devstack, built by make, with their own stacks beside any other.
package stacktest
