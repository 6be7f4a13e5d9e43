package relay

import (
	"io"
	"slices"
	"testing"

	"github.com/farmstate/farmstate/netpoll/conformance"
)

// quickCases are the conversations that need no long wait, not much memory and no quiet machine.
func quickCases(without ...string) []conformance.Case {
	return slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool {
		return len(c.Tags) > 0 || slices.Contains(without, c.ID)
	})
}

// TestConformance: behind a relay a server does all that it does without one, whatever the relay does with the bytes. What is recorded of it is the
// same on a server that is new.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name    string
		rules   []string
		targets int
		without []string
	}{
		{name: "passing", targets: 1},
		{name: "holding", targets: 1, rules: []string{"drop-header=No-Such-Header", "answer:drop-header=No-Such-Header"}},
		{name: "dividing", targets: 2},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			name, rec := recording(t)
			opt := Options{Recorder: rec, Display: NewDisplay(io.Discard, DisplayOptions{Whole: true, Bytes: true})}
			for _, text := range v.rules {
				opt.Rules = append(opt.Rules, mustRule(t, text))
			}
			var targets []string
			for range v.targets {
				targets = append(targets, serve(t, "127.0.0.1:0").addr)
			}
			r := start(t, opt, targets...)
			conformance.Run(t, r.addr, quickCases(v.without...), conformance.Options{})
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			result, differences := replay(t, name, serve(t, "127.0.0.1:0").addr, ReplayOptions{})
			for _, d := range differences {
				t.Errorf("%+v", d)
			}
			if result.Same < 100 || result.CutOff {
				t.Errorf("%+v", result)
			}
		})
	}
}
