package supervisor

import (
	"encoding/json"
	"os"
	"time"
)

// Status is what the supervisor writes about its services whenever something changes.
type Status struct {
	Up       bool            `json:"up"`                // everything became ready, and no stop was requested
	Loads    int             `json:"loads"`             // how often it has followed a list of services, the first one included
	Problem  string          `json:"problem,omitempty"` // of the last time
	Failed   string          `json:"failed,omitempty"`  // the service with the problem
	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is the state of one service.
type ServiceStatus struct {
	Name     string    `json:"name"`
	Address  string    `json:"address,omitempty"`
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"` // inside the stack's PID namespace
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
}

// ReadStatus reads the status file of a supervisor.
func ReadStatus(path string) (Status, error) {
	var s Status
	content, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(content, &s)
}

// write replaces the status file at once: a reader sees the old one or the new one.
func (s Status) write(path string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
