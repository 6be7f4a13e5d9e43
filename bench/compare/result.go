package main

import (
	"math"
	"os"
	"slices"
	"time"

	"github.com/farmstate/farmstate/bench/proc"
)

// result is what is written as JSON. Its names stay as they are; units are part of them.
type result struct {
	Date    time.Time    `json:"date"`
	Command []string     `json:"command"`
	Machine proc.Machine `json:"machine"`
	Setup   setup        `json:"setup"`
	Cases   []*caseRun   `json:"cases"`
	Skipped []skipped    `json:"not_measured"`
	Ratios  []ratio      `json:"ratios"`
}

type setup struct {
	Connections int     `json:"connections"`
	BodyBytes   int     `json:"body_bytes"`
	Sessions    int     `json:"sessions"`
	Rounds      int     `json:"rounds"`
	WindowS     float64 `json:"window_s"`
	Loops       int     `json:"loops"`
}

// caseRun is one workload on one server.
type caseRun struct {
	Server     string   `json:"server"`
	Name       string   `json:"name"`
	PerRun     int      `json:"requests_per_run"` // 1, and 2 for a session cycle
	Rounds     []sample `json:"rounds"`
	CPUPerRun  float64  `json:"cpu_us_per_run"` // these are medians of the rounds
	CPUPerReq  float64  `json:"cpu_us_per_request"`
	PerSecond  float64  `json:"requests_per_s"`
	CoresInUse float64  `json:"cores_in_use"`
}

// sample is one round.
type sample struct {
	CPUPerRun     float64 `json:"cpu_us_per_run"`
	CPUPerRequest float64 `json:"cpu_us_per_request"`
	RequestsPerS  float64 `json:"requests_per_s"`
	CoresInUse    float64 `json:"cores_in_use"` // processor time of the server in each second
	Requests      int64   `json:"requests"`
}

// skipped is a server that was not measured.
type skipped struct {
	Server string `json:"server"`
	Why    string `json:"why"`
}

func newResult(opt *options) *result {
	return &result{
		Date:    time.Now().UTC().Truncate(time.Second),
		Command: os.Args,
		Machine: proc.ThisMachine(),
		Setup: setup{
			Connections: opt.Connections, BodyBytes: opt.Body, Sessions: opt.Sessions, Rounds: opt.Rounds,
			WindowS: opt.Window.Seconds(), Loops: opt.Loops,
		},
		Skipped: []skipped{},
	}
}

func newSample(cpu, elapsed time.Duration, requests int64, perRun int) sample {
	if requests == 0 {
		return sample{}
	}
	perRequest := cpu.Seconds() * 1e6 / float64(requests)
	return sample{
		CPUPerRun:     round(perRequest*float64(perRun), 3),
		CPUPerRequest: round(perRequest, 3),
		RequestsPerS:  round(float64(requests)/elapsed.Seconds(), 0),
		CoresInUse:    round(cpu.Seconds()/elapsed.Seconds(), 3),
		Requests:      requests,
	}
}

func (r *result) skip(server, why string) {
	r.Skipped = append(r.Skipped, skipped{server, why})
}

// add takes in one round of w.
func (r *result) add(w *workload, s sample) {
	c := r.find(w.server, w.name)
	if c == nil {
		c = &caseRun{Server: w.server, Name: w.name, PerRun: len(w.steps)}
		r.Cases = append(r.Cases, c)
	}
	c.Rounds = append(c.Rounds, s)
}

func (r *result) find(server, name string) *caseRun {
	for _, c := range r.Cases {
		if c.Server == server && c.Name == name {
			return c
		}
	}
	return nil
}

// finish works out medians and ratios.
func (r *result) finish() {
	for _, c := range r.Cases {
		c.CPUPerRun = c.median(func(s sample) float64 { return s.CPUPerRun })
		c.CPUPerReq = c.median(func(s sample) float64 { return s.CPUPerRequest })
		c.PerSecond = c.median(func(s sample) float64 { return s.RequestsPerS })
		c.CoresInUse = c.median(func(s sample) float64 { return s.CoresInUse })
	}
	r.judge()
}

func (c *caseRun) median(of func(sample) float64) float64 {
	var values []float64
	for _, s := range c.Rounds {
		values = append(values, of(s))
	}
	return median(values)
}

// median of at least one value.
func median(values []float64) float64 {
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 0 {
		return (values[mid-1] + values[mid]) / 2
	}
	return values[mid]
}

func round(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(x*scale) / scale
}
