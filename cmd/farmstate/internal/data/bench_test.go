package data

import (
	"fmt"
	"testing"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

// BenchmarkWrite answers how fast a snapshot of a million sessions of 1 KB comes to the disk; with -short of a tenth.
func BenchmarkWrite(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n /= 10
	}
	e, err := engine.New(engine.Options{Seed: 1}, engine.Time{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		e.Place(engine.Time{}, engine.NoLane, engine.Parcel{Key: fmt.Sprintf("/LM/W3SVC/1/ROOT(cAHkmVhipCLv/QnONQmPsKL+q/AjnK/nYS9aV3Zlad8=)/%024d", i), Body: make([]byte, 1<<10), Cookie: 1})
	}
	d, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for name, key := range map[string][]byte{"plain": nil, "encrypted": secret} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				totals, err := d.Write(&header, key, func(w *snapshot.Writer) error {
					for shard := range engine.NumShards {
						e.Export(engine.Time{}, shard, spiller{w})
					}
					return nil
				})
				if err != nil || totals.Sessions != int64(n) {
					b.Fatal(totals, err)
				}
				b.SetBytes(totals.Bytes)
			}
		})
	}
}

// spiller is an engine.Exporter.
type spiller struct{ *snapshot.Writer }

func (x spiller) Next(bool) bool { return x.Spill() == nil }
