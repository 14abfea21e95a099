// Package remote stands in for the services that the examples call. It keeps a participant's promises in memory. A real
// participant keeps them in its database, for example with the package participant of this repository.
package remote

import (
	"fmt"
	"sync"

	"github.com/ordersaga/ordersaga/saga"
)

// Service hands out units, for example seats of a flight, and takes them back.
type Service struct {
	name string

	mu    sync.Mutex
	left  int
	takes map[string]take // by idempotency key
}

type take struct {
	units  int
	number string
	undone bool // the tombstone: a late Take is refused
}

// New returns a service that has the given number of units.
func New(name string, units int) *Service {
	return &Service{name: name, left: units, takes: map[string]take{}}
}

// Take takes units and returns a number for them. A repeated call takes nothing and returns the first number. The call is
// refused when too few units are left, and after GiveBack.
func (s *Service) Take(key string, units int) (number string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch known, ok := s.takes[key]; {
	case known.undone:
		return "", saga.Refuse("UNDONE", s.name+" was given back before", nil)
	case ok:
		return known.number, nil
	case s.left < units:
		return "", saga.Refuse("NONE_LEFT", "no "+s.name+" left", nil)
	}
	s.left -= units
	number = fmt.Sprintf("%s %d", s.name, len(s.takes)+1)
	s.takes[key] = take{units: units, number: number}
	return number, nil
}

// GiveBack takes back Take. It succeeds when there is nothing to give back, and makes a late Take fail.
func (s *Service) GiveBack(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.takes[key]
	if !known.undone {
		s.left += known.units
	}
	known.undone = true
	s.takes[key] = known
}

// Left returns the number of units that are left.
func (s *Service) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}
