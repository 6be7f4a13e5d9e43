package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// writeTable writes the result for people. No line of it is longer than 80 characters, but for names of processors.
func (r *result) writeTable(w io.Writer) error {
	var b bytes.Buffer
	m, s := &r.Machine, &r.Setup
	fmt.Fprintf(&b, "%s, %d cores, %s %s, Linux %s\n", m.CPU, m.Cores, m.Go, m.Arch, m.Kernel)
	fmt.Fprintf(&b, "%s; %d connections, %d bytes, %d sessions, event loops: %d\n",
		r.Date.Format("2006-01-02 15:04 MST"), s.Connections, s.BodyBytes, s.Sessions, s.Loops)
	fmt.Fprintf(&b, "median of %d rounds of %g s each; processor time of the server alone\n\n", s.Rounds, s.WindowS)

	fmt.Fprintf(&b, "%-11s%-7s%11s%11s%14s%8s   %s\n", "server", "", "us/request", "us/cycle", "requests/s", "cores", "by round")
	for _, c := range r.sorted() {
		cycle := ""
		if c.PerRun > 1 {
			cycle = fmt.Sprintf("%.2f", c.CPUPerRun)
		}
		fmt.Fprintf(&b, "%-11s%-7s%11.2f%11s%14.0f%8.2f   %s\n", c.Server, c.Name, c.CPUPerReq, cycle, c.PerSecond, c.CoresInUse, c.spread())
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "%-11snot measured: %s\n", s.Server, s.Why)
	}

	fmt.Fprintf(&b, "\n%-34s%9s%9s\n", "processor time, ratio", "is", "at most")
	for _, v := range r.Ratios {
		value := "-"
		if v.Verdict != notMeasured {
			value = fmt.Sprintf("%.3f", v.Value)
		}
		fmt.Fprintf(&b, "%-34s%9s%9.2f   %s\n", v.Name, value, v.Limit, v.Verdict)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// spread writes what the rounds came to: each of up to three, and the ends of more.
func (c *caseRun) spread() string {
	var values []float64
	for _, s := range c.Rounds {
		values = append(values, s.CPUPerRequest)
	}
	if len(values) > 3 {
		return fmt.Sprintf("%.1f to %.1f", slices.Min(values), slices.Max(values))
	}
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("%.1f", v))
	}
	return strings.Join(words, " ")
}

// sorted returns the cases in the order of servers, and of the workloads of each.
func (r *result) sorted() []*caseRun {
	return slices.SortedFunc(slices.Values(r.Cases), func(a, b *caseRun) int {
		return cmp.Or(
			cmp.Compare(slices.Index(serverNames(), a.Server), slices.Index(serverNames(), b.Server)),
			cmp.Compare(slices.Index(workloadOrder, a.Name), slices.Index(workloadOrder, b.Name)),
		)
	})
}
