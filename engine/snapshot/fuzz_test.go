package snapshot

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// FuzzSnapshot reads any bytes as a file. Checksums are put right first, so that what lies behind them is reached. What was read is written and read again as the same.
func FuzzSnapshot(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 4 {
		p := randomParcel(r, n, 50)
		file := write(f, []engine.Parcel{p, p}, nil)
		f.Add(file, false)
		f.Add(file, true)
		f.Add(file[:len(file)-n*10], true)
	}
	p := randomParcel(r, 9, 1)
	p.Body = bytes.Repeat([]byte("x"), largeBody)
	f.Add(write(f, []engine.Parcel{p}, nil), true)
	f.Add(writeWith(f, []Removal{{1, 2, 3}, {4, 5, 6}}, []engine.Parcel{randomParcel(r, 10, 5)}, nil), true)
	for _, name := range []string{"testdata/v1-plain.snapshot", "testdata/v1-encrypted.snapshot", "testdata/v2-plain.snapshot"} {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file, true)
	}
	f.Fuzz(func(t *testing.T, file []byte, mend bool) {
		if mend {
			file = mended(file)
		}
		all, reader, err := read(file, nil)
		if err == nil && reader.at != int64(len(file)) {
			t.Fatalf("%d of %d bytes were read", reader.at, len(file))
		}
		if d, ok := errors.AsType[*Damage](err); ok && (d.Offset < 0 || d.Offset > d.Size || d.Sessions != int64(len(all))) {
			t.Fatalf("%+v, %d sessions", d, len(all))
		}
		if reader != nil && len(file) >= reader.EndLen() {
			reader.End(bytes.Clone(file[len(file)-reader.EndLen():]))
		}
		content := 0
		for _, p := range all {
			content += recordLen(&p)
		}
		if content > len(file) {
			t.Fatalf("%d bytes came out of %d", content, len(file))
		}
		again, _, err := read(write(t, all, nil), nil)
		if sortLarge(all, again); err != nil || len(again) > len(all) {
			t.Fatalf("written and read again: %v", err)
		}
	})
}

// mended returns a file with the checksums and lengths that its bytes ask for.
func mended(file []byte) []byte {
	file = bytes.Clone(file)
	put := func(at int, sum uint32) {
		for i := range 4 {
			file[at+i] = byte(sum >> (8 * i))
		}
	}
	if len(file) < preamble {
		return file
	}
	n := int(file[12]) | int(file[13])<<8
	if n < minHeader || n > len(file) {
		return file
	}
	put(n-4, crc32.Checksum(file[:n-4], castagnoli))
	for len(file)-n >= frameHead {
		length := int(uint32(file[n+8]) | uint32(file[n+9])<<8 | uint32(file[n+10])<<16)
		end := n + frameHead + length
		if end > len(file) {
			break
		}
		put(n+sealedBy, frameSum(file[n:n+sealedBy], file[n+frameHead:end]))
		n = end
	}
	return file
}
