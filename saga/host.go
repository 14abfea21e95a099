package saga

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"go.temporal.io/sdk/workflow"
)

// host is what the sagas of one workflow share: the operators' inbox, the current details and the timeline.
type host struct {
	runs      []*run    // that have not ended, in the order in which they began
	waiting   []*waiter // what an operator could retry or skip
	broken    []brokenStep
	listening map[string]bool // by signal prefix
	reporting bool            // of unknown signals
	reply     string          // to the operator's last signal
	section   string          // what the current details last said about the sagas
	timeline  []Entry
}

// hosts finds the host of a workflow. The SDK has no storage that belongs to a workflow, apart from a context, which sagas
// side by side do not share. The table holds hosts weakly: the workflow's query handler keeps its host alive.
var hosts sync.Map // weak.Pointer[workflow.Info] to weak.Pointer[host]

// join makes the saga one of its workflow's.
func join(ctx workflow.Context, r *run) error {
	key := weak.Make(workflow.GetInfo(ctx))
	if known, ok := hosts.Load(key); ok {
		r.host = known.(weak.Pointer[host]).Value()
	}
	if r.host == nil {
		h := &host{listening: map[string]bool{}}
		options := workflow.QueryHandlerOptions{Description: "what has happened in the sagas of this workflow"}
		query := func() ([]Entry, error) { return h.timeline, nil }
		if err := workflow.SetQueryHandlerWithOptions(ctx, QueryTimeline, query, options); err != nil {
			return err
		}
		hosts.Store(key, weak.Make(h))
		// It runs outside the workflow and touches only the table.
		//workflowcheck:ignore
		runtime.AddCleanup(h, func(key weak.Pointer[workflow.Info]) { hosts.Delete(key) }, key)
		r.host = h
	}
	r.host.runs = append(r.host.runs, r)
	r.host.listen(ctx, r.options)
	return nil
}

// leave takes back join, once the saga has ended.
func (h *host) leave(r *run) {
	h.runs = slices.DeleteFunc(h.runs, func(other *run) bool { return other == r })
}

// alive reports whether a saga with the prefix has not ended.
func (h *host) alive(prefix string) bool {
	return slices.ContainsFunc(h.runs, func(r *run) bool { return r.options.SignalPrefix == prefix })
}

// show writes what operators need to know into the current details, which the Web UI shows on the workflow's page. It leaves
// the workflow's own text there alone.
func (h *host) show(ctx workflow.Context) {
	var b strings.Builder
	if len(h.broken) > 0 {
		b.WriteString("### This saga needs attention\n\n")
	}
	for _, s := range h.broken {
		s.write(&b)
	}
	b.WriteString(h.reply)
	section, details := b.String(), workflow.GetCurrentDetails(ctx)
	switch {
	case h.section != "" && strings.Contains(details, h.section):
		details = strings.Replace(details, h.section, section, 1)
	case details == "":
		details = section
	case section != "":
		details += "\n\n" + section
	}
	h.section = section
	workflow.SetCurrentDetails(ctx, details)
}
