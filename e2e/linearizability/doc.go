// Package linearizability tests the stock protocol with concurrent clients: some order of single steps must explain
// every response that they got. It runs on the store in memory and on the real one. It belongs to the module of the
// end-to-end tests because of its checker, which the product does not need.
package linearizability
