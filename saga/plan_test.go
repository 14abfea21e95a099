package saga

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"
)

func nothing(workflow.Context) error { return nil }

func validPlan() Plan {
	return Plan{
		Steps:     []Step{{Name: "A", Do: nothing, Undo: Undo{Name: "-A", Do: nothing}}, {Name: "B", Do: nothing}},
		Pivot:     Step{Name: "Pivot", Do: nothing},
		Fence:     func(workflow.Context, Cause) (Verdict, error) { return Backward, nil },
		Finish:    Step{Name: "Finish", Do: nothing},
		Retriable: []Step{{Name: "Tell", Do: nothing}},
	}
}

func TestMistakeInAPlanIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(*Plan)
		want  string
	}{
		"step without a name":     {func(p *Plan) { p.Steps[0].Name = "" }, "step without a name"},
		"step without a function": {func(p *Plan) { p.Steps[1].Do = nil }, "step B without a function"},
		"two steps of one name":   {func(p *Plan) { p.Steps[1].Name = "A" }, "two steps are named A"},
		"pivot named as a step":   {func(p *Plan) { p.Pivot.Name = "A" }, "two steps are named A"},
		"undo without a name":     {func(p *Plan) { p.Steps[0].Undo.Name = "" }, "undo of A needs both"},
		"undo without a function": {func(p *Plan) { p.Steps[0].Undo.Do = nil }, "undo of A needs both"},
		"pivot with an undo": {
			func(p *Plan) { p.Pivot.Undo = Undo{Name: "-P", Do: nothing} }, "pivot Pivot cannot have an undo",
		},
		"retriable step with an undo": {
			func(p *Plan) { p.Retriable[0].Undo = Undo{Name: "-T", Do: nothing} }, "retriable step Tell cannot have an undo",
		},
		"a step that holds steps and acts": {
			func(p *Plan) { p.Steps[0].Together = []Step{{Name: "C", Do: nothing}} }, "step A cannot hold other steps",
		},
		"two steps of one name, beside": {
			func(p *Plan) { p.Steps[1] = Step{Name: "B", Together: []Step{{Name: "A", Do: nothing}}} }, "two steps are named A",
		},
		"steps nested twice": {func(p *Plan) {
			p.Steps[1] = Step{Name: "B", Together: []Step{{Name: "C", Together: []Step{{Name: "D", Do: nothing}}}}}
		}, "side-by-side step C cannot hold other steps"},
		"pivot that holds steps": {
			func(p *Plan) { p.Pivot.Do, p.Pivot.Together = nil, []Step{{Name: "C", Do: nothing}} }, "pivot Pivot cannot hold",
		},
		"no fence":          {func(p *Plan) { p.Fence = nil }, "no fence"},
		"no finishing step": {func(p *Plan) { p.Finish = Step{} }, "finishing step without a name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := validPlan()
			tt.spoil(&p)
			if err := p.validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if err := validPlan().validate(); err != nil {
		t.Errorf("the plan that the cases spoil: %v", err)
	}
}

func TestUndosRunLastStepFirstAndASharedOneOnce(t *testing.T) {
	t.Parallel()
	undo := func(name string) Undo { return Undo{Name: name, Do: nothing} }
	p := Plan{Steps: []Step{
		{Name: "A", Undo: undo("-A")}, {Name: "B", Undo: undo("-B")}, {Name: "C"}, {Name: "D", Undo: undo("-A")},
	}}
	var got []string
	for _, u := range p.undos() {
		got = append(got, u.Name)
	}
	if want := "-B -A"; strings.Join(got, " ") != want {
		t.Errorf("undos %v, want %s", got, want)
	}
}
