package main

// promise is how much processor time of farmstate one run of a workload may take, as a multiple of what another server takes in
// the same run of this program. Absolute times would depend on the machine.
type promise struct {
	name          string // of the workload of farmstate
	server, other string // and of the one it is compared with
	limit         float64
}

// promises are what farmstate is held to.
var promises = []promise{
	{"get", "bare", "get", 1.25},
	{"put", "bare", "put", 1.25},
	{"cycle", "redis", "cycle", 0.5},
}

// Verdicts.
const (
	pass        = "PASS"
	fail        = "FAIL"
	notMeasured = "NOT MEASURED"
)

// ratio is a promise and what came of it.
type ratio struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"` // 0 if not measured
	Limit   float64 `json:"limit"`
	Verdict string  `json:"verdict"`
}

// judge compares round by round and takes the median: what slows the machine down for a while then slows both sides down.
func (r *result) judge() {
	r.Ratios = []ratio{}
	for _, p := range promises {
		v := ratio{Name: "farmstate " + p.name + " / " + p.server + " " + p.other, Limit: p.limit, Verdict: notMeasured}
		ours, theirs := r.find("farmstate", p.name), r.find(p.server, p.other)
		if ours != nil && theirs != nil {
			v.Value = round(compareRounds(ours, theirs), 3)
			v.Verdict = fail
			if v.Value > 0 && v.Value <= p.limit {
				v.Verdict = pass
			}
		}
		r.Ratios = append(r.Ratios, v)
	}
}

// compareRounds returns the median quotient; 0 if a side was not answered at all.
func compareRounds(ours, theirs *caseRun) float64 {
	var quotients []float64
	for i, s := range ours.Rounds {
		if theirs.Rounds[i].CPUPerRun == 0 {
			return 0
		}
		quotients = append(quotients, s.CPUPerRun/theirs.Rounds[i].CPUPerRun)
	}
	return median(quotients)
}

// broken reports whether a promise was measured and not kept.
func (r *result) broken() bool {
	for _, v := range r.Ratios {
		if v.Verdict == fail {
			return true
		}
	}
	return false
}
