// Package lawtest holds the test of the import law: which package of this module may import which. The law is what keeps
// the parts replaceable: programs on top, then the saga and its steps, then adapters side by side, the domain at the
// bottom. ARCHITECTURE.md explains it.
package lawtest
