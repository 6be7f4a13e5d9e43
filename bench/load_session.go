package bench

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// sessionIDLen is the length of the ids that ASP.NET makes: 24 characters of a-z0-5. See docs/protocol.md §3.8.
const sessionIDLen = 24

// appHash is what stands in parentheses behind appID since .NET 4.5.2. See docs/protocol.md §3.8.
func appHash(appID string) string {
	sum := sha256.Sum256([]byte(appID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// population is all sessions of a run. It keeps nothing for each of them: id, size and target follow from a session's number,
// so that millions cost no memory here.
//
// Static after construction.
type population struct {
	seed    uint64
	prefix  []byte // of every target, encoded
	bodyMin int
	bodyMax int
	targets int
}

func newPopulation(c *LoadConfig) *population {
	key := c.AppID + "(" + c.AppHash + ")/"
	if key[0] != '/' {
		key = "/" + key
	}
	return &population{
		seed:    c.Seed,
		prefix:  wire.AppendTarget(nil, []byte(key)),
		bodyMin: c.BodyMin,
		bodyMax: c.BodyMax,
		targets: len(c.Targets),
	}
}

// appendID appends the id of session n.
func (p *population) appendID(dst []byte, n uint64) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	c := newChoice(p.seed, n)
	for range sessionIDLen / 12 { // 60 of 64 bits each time
		for bits, i := c.next(), 0; i < 12; i++ {
			dst = append(dst, letters[bits&31])
			bits >>= 5
		}
	}
	return dst
}

// appendTarget appends what stands in the request line for session n. Ids need no escapes.
func (p *population) appendTarget(dst []byte, n uint64) []byte {
	return p.appendID(append(dst, p.prefix...), n)
}

// size returns the length of the body of session n.
func (p *population) size(n uint64) int {
	if p.bodyMin == p.bodyMax {
		return p.bodyMin
	}
	return p.bodyMin + int(mixBits(n^p.seed<<1)%uint64(p.bodyMax-p.bodyMin+1))
}

// home returns the target of session n under PlaceByHash.
func (p *population) home(n uint64) int {
	return int(mixBits(mixBits(n)+p.seed) % uint64(p.targets))
}
