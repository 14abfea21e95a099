package supervisor

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Supervisor runs the services of one stack.
type Supervisor struct {
	statusFile string
	logFile    func(service string) string
	log        *slog.Logger

	runners []*runner           // in the order in which they were added; touched by Run's goroutine only
	failed  chan *FailedService // services that did not become ready

	mu     sync.Mutex // guards status and its file
	status Status
}

// FailedService is the error of a service that did not become ready.
type FailedService struct {
	Name  string
	Cause error
}

func (e *FailedService) Error() string { return e.Name + " did not come up: " + e.Cause.Error() }
func (e *FailedService) Unwrap() error { return e.Cause }

// New returns a supervisor that writes its status to statusFile and each service's output to the logFile of its name.
func New(statusFile string, logFile func(string) string, log *slog.Logger) *Supervisor {
	return &Supervisor{statusFile: statusFile, logFile: logFile, log: log, failed: make(chan *FailedService, 100)}
}

// Run starts the wanted services and keeps them running until ctx is done; then it stops them. In the list, a service comes
// after those that it needs. At each signal from reload, Run stops services that are no longer in the list, starts those that
// are not running, and restarts those whose version has changed. When a service does not become ready at the first start, Run
// stops all of them and returns a *FailedService.
func (s *Supervisor) Run(ctx context.Context, wanted func() ([]Service, error), reload <-chan os.Signal) error {
	defer s.stopAll()
	if err := s.load(ctx, wanted); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			s.update(func(st *Status) { st.Up = false })
			return nil
		case <-reload:
			_ = s.load(ctx, wanted) // the status tells the error
		}
	}
}

// load makes the wanted services run, and no others.
func (s *Supervisor) load(ctx context.Context, wanted func() ([]Service, error)) error {
	services, err := wanted()
	if err == nil {
		s.stopOthers(services)
		err = s.start(ctx, services)
	}
	s.update(func(st *Status) {
		st.Loads++
		st.Up, st.Problem, st.Failed = st.Up || err == nil, "", ""
		if err != nil {
			st.Problem = err.Error()
		}
		if failed, ok := errors.AsType[*FailedService](err); ok {
			st.Failed = failed.Name
		}
	})
	return err
}

// start starts the services that do not run, or whose version has changed, and waits until they are ready. When one does not
// become ready, it stops those that are not ready by then.
func (s *Supervisor) start(ctx context.Context, services []Service) error {
	var started []*runner
	for _, service := range services {
		old := s.find(service.Name)
		if old != nil && !old.stopped.hasCome() && old.Version == service.Version {
			continue
		}
		if old != nil {
			stop([]*runner{old})
		}
		started = append(started, s.add(service))
	}
	err := s.waitUntilReady(ctx, started)
	if err != nil {
		stop(slices.DeleteFunc(started, func(r *runner) bool { return r.ready.hasCome() }))
	}
	return err
}

func (s *Supervisor) waitUntilReady(ctx context.Context, runners []*runner) error {
	for _, r := range runners {
		select {
		case <-r.ready.Done():
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Supervisor) find(name string) *runner {
	for _, r := range s.runners {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// add starts a runner for the service. It replaces one of the same name.
func (s *Supervisor) add(service Service) *runner {
	service.StartTimeout = cmp.Or(service.StartTimeout, 90*time.Second) // generous: everything starts at once
	service.Stop = cmp.Or(service.Stop, syscall.SIGTERM)
	service.StopTimeout = cmp.Or(service.StopTimeout, 40*time.Second) // programs drain: requests and activities finish
	r := &runner{Service: service, sup: s, ready: newMoment(), stopping: newMoment(), stopped: newMoment()}
	for _, name := range service.After {
		if need := s.find(name); need != nil {
			r.needs = append(r.needs, need)
		}
	}
	if i := slices.IndexFunc(s.runners, func(other *runner) bool { return other.Name == r.Name }); i >= 0 {
		s.runners[i] = r
	} else {
		s.runners = append(s.runners, r)
	}
	s.note(r, Waiting, 0) // before run, so that the status lists services in order
	go r.run()
	return r
}

// stopOthers stops running services that are not in the list. Services that need them keep running.
func (s *Supervisor) stopOthers(services []Service) {
	stop(slices.DeleteFunc(slices.Clone(s.runners), func(r *runner) bool {
		return slices.ContainsFunc(services, func(wanted Service) bool { return wanted.Name == r.Name })
	}))
}

// stopAll stops the services, each after those that need it.
func (s *Supervisor) stopAll() { stop(s.runners) }

func stop(runners []*runner) {
	var all sync.WaitGroup
	for _, r := range runners {
		all.Go(func() {
			for _, other := range runners {
				if slices.Contains(other.After, r.Name) {
					<-other.stopped.Done()
				}
			}
			r.stopping.come()
			<-r.stopped.Done()
		})
	}
	all.Wait()
}

// note records a change of a service's state.
func (s *Supervisor) note(r *runner, state State, pid int) {
	s.update(func(st *Status) {
		i := slices.IndexFunc(st.Services, func(known ServiceStatus) bool { return known.Name == r.Name })
		if i < 0 {
			st.Services = append(st.Services, ServiceStatus{Name: r.Name})
			i = len(st.Services) - 1
		}
		known := &st.Services[i]
		known.Address, known.State, known.PID, known.Since = r.Address, state, pid, time.Now().UTC().Truncate(time.Millisecond)
		if state == Restarting {
			known.Restarts++
		}
	})
}

func (s *Supervisor) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	if err := s.status.write(s.statusFile); err != nil {
		s.log.Error("write the status", "file", s.statusFile, "error", err.Error())
	}
}
