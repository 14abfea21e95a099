// Package stacktest holds the tests of devstack as a whole. They run bin/devstack, as built by make, on stacks of their
// own beside any other.
package stacktest
