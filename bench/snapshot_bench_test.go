package bench

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farmstate/farmstate/engine"
	"github.com/farmstate/farmstate/engine/snapshot"
)

// BenchmarkSnapshot answers how fast the sessions of a node come to a file, with the wait for the disk, and back into a node: a million of 1 KB, with -short a tenth of them.
// MB/s is that of the file.
func BenchmarkSnapshot(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n /= 10
	}
	s := newStore(b, n, 1<<10)
	for name, secret := range map[string][]byte{"plain": nil, "encrypted": []byte("a secret that is long enough")} {
		file := filepath.Join(b.TempDir(), "snapshot")
		b.Run("write/"+name, func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(writeSnapshot(b, s.Engine, file, secret))
			}
		})
		b.Run("load/"+name, func(b *testing.B) {
			b.SetBytes(writeSnapshot(b, s.Engine, file, secret))
			for b.Loop() {
				if got := loadSnapshot(b, file, secret); got != n {
					b.Fatalf("%d sessions, want %d", got, n)
				}
			}
		})
	}
}

// toFile is an engine.Exporter.
type toFile struct {
	*snapshot.Writer
	tb testing.TB
}

func (x toFile) Next(bool) bool {
	if err := x.Spill(); err != nil {
		x.tb.Fatal(err)
	}
	return true
}

func writeSnapshot(tb testing.TB, e *engine.Engine, file string, secret []byte) int64 {
	f, err := os.Create(file)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := snapshot.NewWriter(f, &snapshot.Header{Written: time.Now(), Program: "bench"}, secret)
	if err != nil {
		tb.Fatal(err)
	}
	for shard := range engine.NumShards {
		e.Export(engine.Time{}, shard, toFile{w, tb})
	}
	totals, err := w.Close()
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		tb.Fatal(err)
	}
	return totals.Bytes
}

func loadSnapshot(tb testing.TB, file string, secret []byte) (n int) {
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(engine.Options{Seed: 2}, engine.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := snapshot.NewReader(bufio.NewReaderSize(f, 1<<20), info.Size(), secret)
	for err == nil {
		var p engine.Parcel
		if p, err = r.Next(); err == nil && snapshot.Resume(&p, time.Second) && e.Place(engine.Time{}, engine.NoLane, p) == engine.PlacedNew {
			n++
		}
	}
	if !errors.Is(err, io.EOF) {
		tb.Fatal(err)
	}
	return n
}
