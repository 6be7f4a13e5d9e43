package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says how much a finding matters.
type Severity string

// The severities. Only warnings and problems make the command fail.
const (
	OK      Severity = "ok"      // the check found nothing
	Note    Severity = "note"    // worth knowing
	Warning Severity = "warning" // it may cost users something, or will
	Problem Severity = "problem" // it costs users something now
)

// order is how findings are sorted: the gravest first.
var order = []Severity{Problem, Warning, Note, OK}

// Finding is what a check has found.
type Finding struct {
	Check    string   `json:"check"` // a stable name, see [Checks]
	Severity Severity `json:"severity"`
	Where    string   `json:"where,omitempty"` // a node, or a file with a line
	What     string   `json:"what"`            // was found, with the values
	Means    string   `json:"means,omitempty"` // for the sessions of users
	Do       []string `json:"do,omitempty"`    // one after the other, or one of them; as the text says
}

// Report is what a run has found.
type Report struct {
	About    string    `json:"about"` // what was looked at, for people
	Findings []Finding `json:"findings"`
	Problems int       `json:"problems"`
	Warnings int       `json:"warnings"`
	Notes    int       `json:"notes"`
	Passed   int       `json:"passed"` // checks that found nothing worse than notes
}

// Healthy reports whether there are neither problems nor warnings.
func (r *Report) Healthy() bool { return r.Problems+r.Warnings == 0 }

// maxEach bounds the findings of one check: a farm of hundreds of nodes with one mistake has one mistake.
const maxEach = 20

// Examine runs all checks that apply to a picture.
func Examine(p *Picture) *Report {
	r := &Report{About: p.about(), Findings: []Finding{}}
	for i := range checks {
		c := &checks[i]
		if !c.when(p) {
			continue
		}
		found := &findings{check: c.ID}
		c.run(p, found)
		r.take(c, found)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
	})
	return r
}

// take adds what a check has found.
func (r *Report) take(c *Check, found *findings) {
	bad := false
	for _, f := range found.all {
		switch f.Severity {
		case Problem:
			r.Problems++
			bad = true
		case Warning:
			r.Warnings++
			bad = true
		case Note:
			r.Notes++
		case OK:
		}
	}
	if !bad {
		r.Passed++
	}
	if len(found.all) == 0 {
		found.all = append(found.all, Finding{Check: c.ID, Severity: OK, What: c.Good})
	}
	if n := len(found.all) - maxEach; n > 0 {
		slices.SortStableFunc(found.all, func(a, b Finding) int {
			return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
		})
		last := &found.all[maxEach-1]
		last.What += fmt.Sprintf(" (And %d more like these, which are left out.)", n)
		found.all = found.all[:maxEach]
	}
	r.Findings = append(r.Findings, found.all...)
}

// findings collects what one check finds.
type findings struct {
	check string
	all   []Finding
}

// add adds a finding.
func (f *findings) add(s Severity, where, what, means string, do ...string) {
	f.all = append(f.all, Finding{Check: f.check, Severity: s, Where: where, What: what, Means: means, Do: do})
}
