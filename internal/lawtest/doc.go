// Package lawtest holds the tests of the rules that keep the parts of this module replaceable:
//
//   - law.txt, the import law: programs on top, then the saga and its steps, then adapters side by side, the domain at the
//     bottom. ARCHITECTURE.md explains it.
//   - No program links test support. Packages of test support have names that end in "test".
//   - The public packages name no other package of ours in their exported API, and modules elsewhere can import them.
package lawtest
