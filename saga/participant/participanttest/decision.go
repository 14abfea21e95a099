package participanttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/ordersaga/ordersaga/saga/participant"
)

// decisions are the promises of a pivot and a fence.
var decisions = []check[Decision]{
	{"after the pivot, the fence and finish say forward", pivotFirst},
	{"after the fence, the pivot says backward, and finish says ended", fenceFirst},
	{"a saga without a decision is not finished", notFenced},
	{"when the pivot and the fence race, all callers get the same verdict", race},
	{"when the pivot, the fence and finish race, a saga that went forward is not finished", finishRace},
}

type decider = func(ctx context.Context, saga string) (participant.Verdict, error)

// expect calls f twice, and checks its verdict.
func expect(ctx context.Context, saga, name string, f decider, want participant.Verdict) error {
	for range 2 {
		got, err := decided(ctx, saga, f)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("%s says %s, want %s", name, got, want)
		}
	}
	return nil
}

func decided(ctx context.Context, saga string, f decider) (participant.Verdict, error) {
	return persist(ctx, func() (participant.Verdict, error) { return f(ctx, saga) }, never)
}

func pivotFirst(ctx context.Context, d Decision) error {
	saga := newSaga()
	return errors.Join(
		expect(ctx, saga, "the pivot", d.Pivot, participant.Forward),
		expect(ctx, saga, "the fence after the pivot", d.Fence, participant.Forward),
		expect(ctx, saga, "finish after the pivot", d.Finish, participant.Forward),
		expect(ctx, saga, "the pivot, repeated after the fence", d.Pivot, participant.Forward),
	)
}

func fenceFirst(ctx context.Context, d Decision) error {
	saga := newSaga()
	return errors.Join(
		expect(ctx, saga, "the fence", d.Fence, participant.Backward),
		expect(ctx, saga, "the pivot after the fence", d.Pivot, participant.Backward),
		expect(ctx, saga, "the fence, repeated after the pivot", d.Fence, participant.Backward),
		expect(ctx, saga, "finish", d.Finish, participant.Ended),
		expect(ctx, saga, "the fence after finish", d.Fence, participant.Ended),
		expect(ctx, saga, "the pivot after finish", d.Pivot, participant.Ended),
	)
}

func notFenced(ctx context.Context, d Decision) error {
	saga := newSaga()
	if v, err := d.Finish(ctx, saga); err == nil {
		return fmt.Errorf("finish without a fence says %s, want an error", v)
	}
	return expect(ctx, saga, "the pivot after it", d.Pivot, participant.Forward)
}

func race(ctx context.Context, d Decision) error {
	for range rounds {
		saga := newSaga()
		var verdicts [callers]participant.Verdict
		err := atOnce(func(i int) (err error) {
			verdicts[i], err = decided(ctx, saga, []decider{d.Pivot, d.Fence}[i%2])
			return err
		})
		if err != nil {
			return err
		}
		for _, v := range verdicts {
			if v != verdicts[0] {
				return fmt.Errorf("one caller got the verdict %s, another %s", verdicts[0], v)
			}
		}
	}
	return nil
}

// finishRace has one caller that fences and then finishes, as an unwinding saga does, while others try to pass the pivot.
func finishRace(ctx context.Context, d Decision) error {
	for range rounds {
		saga := newSaga()
		var verdicts [callers]participant.Verdict
		err := atOnce(func(i int) (err error) {
			if i%2 == 0 {
				verdicts[i], err = decided(ctx, saga, d.Pivot)
				return err
			}
			if _, err = decided(ctx, saga, d.Fence); err == nil {
				verdicts[i], err = decided(ctx, saga, d.Finish)
			}
			return err
		})
		if err != nil {
			return err
		}
		forward := 0
		for _, v := range verdicts {
			if v == participant.Forward {
				forward++
			}
		}
		if forward != 0 && forward != callers {
			return fmt.Errorf("%d of %d callers got the verdict forward", forward, callers)
		}
	}
	return nil
}
