package peer

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/farmstate/farmstate/engine"
)

// BenchmarkCycle is acquire and save of 1 KB on a node with and without a mirror, both in this process, by many clients.
func BenchmarkCycle(b *testing.B) {
	for _, copies := range []int{1, 2} {
		b.Run(fmt.Sprintf("copies=%d", copies), func(b *testing.B) {
			c := twoCopies
			c.N = copies
			x := startNodeWith(b, c)
			y := startNodeWith(b, c, x)
			x.linked(1)
			y.linked(1)
			body := make([]byte, 1024)
			const sessions = 1000
			for i := range sessions {
				x.do(engine.Set, fmt.Sprintf("app/%d", i), string(body), 0)
			}
			var next atomic.Int64
			b.SetParallelism(16)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				own := append([]byte(nil), body...)
				i := next.Add(1) * 31
				for n := byte(0); pb.Next(); n++ {
					i++
					key := fmt.Sprintf("app/%d", i%sessions)
					out, _ := x.do(engine.Acquire, key, "", 0)
					if out.Status == engine.OK {
						own[0], own[1] = n, byte(i)
						x.do(engine.Set, key, string(own), out.Cookie)
					}
				}
			})
		})
	}
}
