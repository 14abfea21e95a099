package main

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
)

// lookAt counts the events, and among them the workflow tasks, of some workflows of the mode. It waits until each has
// ended: a client has its answer before that.
func (s *stack) lookAt(ctx context.Context, m *measured) error {
	var workflows, events, tasks int
	for _, seg := range m.segments {
		for _, id := range seg.sample {
			e, t, err := s.history(ctx, id)
			if err != nil {
				return fmt.Errorf("read the history of %s: %w", id, err)
			}
			workflows, events, tasks = workflows+1, events+e, tasks+t
		}
	}
	if workflows > 0 {
		m.events = float64(events) / float64(workflows)
		m.tasks = float64(tasks) / float64(workflows)
	}
	return nil
}

func (s *stack) history(ctx context.Context, id string) (events, tasks int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.temporal.GetWorkflow(ctx, id, "").Get(ctx, nil); err != nil {
		return 0, 0, err
	}
	all := s.temporal.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		e, err := all.Next()
		if err != nil {
			return 0, 0, err
		}
		events++
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks++
		}
	}
	return events, tasks, nil
}
