package saga

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"
)

func nothing(workflow.Context) error { return nil }

func validPlan() Plan {
	return Plan{
		Steps:     []Step{{Name: "A", Do: nothing, Undo: &Undo{Name: "-A", Do: nothing}}, {Name: "B", Do: nothing}},
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
		"step without a function": {func(p *Plan) { p.Steps[1].Do = nil }, "step B needs exactly one"},
		"two steps of one name":   {func(p *Plan) { p.Steps[1].Name = "A" }, "two parts of the plan are named A"},
		"pivot named as a step":   {func(p *Plan) { p.Pivot.Name = "A" }, "two parts of the plan are named A"},
		"undo without a name":     {func(p *Plan) { p.Steps[0].Undo.Name = "" }, "undo of A needs both a name"},
		"undo without a function": {func(p *Plan) { p.Steps[0].Undo.Do = nil }, "undo of A needs both a name"},
		"pivot with an undo": {
			func(p *Plan) { p.Pivot.Undo = &Undo{Name: "-P", Do: nothing} }, "pivot Pivot cannot have an undo",
		},
		"retriable step with an undo": {
			func(p *Plan) { p.Retriable[0].Undo = &Undo{Name: "-T", Do: nothing} }, "retriable step Tell cannot have an undo",
		},
		"a step that holds steps and acts": {
			func(p *Plan) { p.Steps[0].Together = []Step{{Name: "C", Do: nothing}} }, "step A needs exactly one of",
		},
		"two steps of one name, beside": {
			func(p *Plan) { p.Steps[1] = Step{Name: "B", Together: []Step{{Name: "A", Do: nothing}}} }, "two parts of the plan are named A",
		},
		"a holder with an undo": {func(p *Plan) {
			p.Steps[1] = Step{Name: "B", Undo: &Undo{Name: "-B", Do: nothing}, Together: []Step{{Name: "C", Do: nothing}}}
		}, "step B holds other steps"},
		"two undos of one name": {func(p *Plan) { p.Steps[1].Undo = &Undo{Name: "-A", Do: nothing} },
			"two different undos are named -A"},
		"a step named as an undo": {func(p *Plan) { p.Steps[1].Name = "-A" }, "two parts of the plan are named -A"},
		"a step named as the fence": {func(p *Plan) { p.Steps[1].Name = FenceName },
			"two parts of the plan are named Fence"},
		"an optional step that shares its undo": {func(p *Plan) {
			p.Steps[1].Undo, p.Steps[1].Optional = p.Steps[0].Undo, true
		}, "step B is optional and shares its undo"},
		"an optional pivot": {func(p *Plan) { p.Pivot.Optional = true }, "pivot Pivot cannot be optional"},
		"two timeouts": {func(p *Plan) {
			p.Steps[0].Timeout, p.Steps[0].Options.StartToCloseTimeout = 1, 2
		}, "step A has two timeouts"},
		"a retired undo without a function": {func(p *Plan) { p.Retired = []*Undo{{Name: "-Z"}} }, "retired undo needs both"},
		"no steps":                          {func(p *Plan) { p.Steps, p.Pivot = nil, Step{} }, "neither steps nor a pivot"},
		"pivot that holds steps": {
			func(p *Plan) { p.Pivot.Do, p.Pivot.Together = nil, []Step{{Name: "C", Do: nothing}} }, "pivot Pivot needs a function",
		},
		"a fence without a pivot":         {func(p *Plan) { p.Pivot = Step{} }, "a fence without a pivot"},
		"a finishing step without a name": {func(p *Plan) { p.Finish.Name = "" }, "finishing step without a name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := validPlan()
			tt.spoil(&p)
			if err := p.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if err := validPlan().Validate(); err != nil {
		t.Errorf("the plan that the cases spoil: %v", err)
	}
	if err := (Plan{Steps: []Step{{Name: "A", Do: nothing}}}).Validate(); err != nil {
		t.Errorf("a plan of one step: %v", err)
	}
	if err := (Plan{Pivot: Step{Name: "A", Do: nothing}}).Validate(); err != nil {
		t.Errorf("a plan that begins with its pivot: %v", err)
	}
}

func TestUndosRunLastStepFirstAndASharedOneOnce(t *testing.T) {
	t.Parallel()
	first, second, third := &Undo{Name: "-A"}, &Undo{Name: "-B"}, &Undo{Name: "-F"}
	p := Plan{
		Steps: []Step{
			{Name: "A", Undo: first}, {Name: "B", Undo: second}, {Name: "C"}, {Name: "D", Undo: first},
			{Name: "E", UndoTogether: true, Together: []Step{
				{Name: "F", Undo: third}, {Name: "G", Sequence: []Step{{Name: "H", Undo: &Undo{Name: "-H"}}}},
			}},
		},
		Retired: []*Undo{{Name: "-Z"}},
	}
	var got []string
	for _, group := range p.undos() {
		for _, u := range group {
			got = append(got, u.undo.Name+"("+strings.Join(u.steps, " ")+")")
		}
		got = append(got, ";")
	}
	if want := "-H(H) -F(F) ; -B(B) ; -A(A D) ; -Z() ;"; strings.Join(got, " ") != want {
		t.Errorf("undos %v, want %s", got, want)
	}
}
