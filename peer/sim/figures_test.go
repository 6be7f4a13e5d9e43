package sim

import (
	"flag"
	"os"
	"testing"
	"time"
)

var figuresFlag = flag.Bool("sim.figures", false, "print the table of docs/topologies.md")

func TestFigures(t *testing.T) {
	if *figuresFlag {
		if err := WriteFigures(os.Stdout, []int{3, 5, 8, 16, 64, 256}, 16); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, c := range []struct {
		t              Topology
		n              int
		diameter       int
		miss, move     float64
		missTime, time time.Duration
		cutWorst       int
		reach          float64
	}{
		// A miss asks and answers once over each link of a line, and waits for the farther end. A move asks that much or less, and Found, Transfer, Held
		// and Commit follow.
		{t: Line, n: 2, diameter: 1, miss: 2, move: 5, missTime: 2 * HopTime, time: 4 * HopTime, cutWorst: 0, reach: 1},
		{t: Full, n: 3, diameter: 1, miss: 4, move: 7, missTime: 2 * HopTime, time: 4 * HopTime, cutWorst: 0, reach: 1},
	} {
		f := Measure(c.t, c.n, 4)
		if f.Diameter != c.diameter || f.CutWorst != c.cutWorst || f.Reach != c.reach {
			t.Errorf("%s of %d: %+v", c.t, c.n, f)
		}
		if f.MissMessages != c.miss || f.MoveMessages != c.move || f.MissTime != c.missTime || f.MoveTime != c.time {
			t.Errorf("%s of %d: a miss takes %.1f messages and %v, a move %.1f and %v", c.t, c.n, f.MissMessages, f.MissTime, f.MoveMessages, f.MoveTime)
		}
	}
	if f := Measure(Line, 16, 1); f.Reach >= 1 || f.CutWorst != 7 {
		t.Errorf("a line of 16: %+v", f)
	}
	if f := Measure(Star, 8, 1); f.CutWorst != 6 {
		t.Errorf("a star of 8: %+v", f)
	}
}
