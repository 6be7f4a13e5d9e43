package relay

import "github.com/cespare/xxhash/v2"

// pick chooses a target for a session: rendezvous hashing, so that the sessions of a target that goes away are spread over
// the others and all other sessions stay. It depends on the texts of the addresses alone, so all relays with the same targets agree,
// whatever their order. names are hashes of the addresses; it returns -1 if none is up.
func pick(session string, names []uint64, up func(i int) bool) int {
	best, score := -1, uint64(0)
	h := xxhash.Sum64String(session)
	for i, name := range names {
		if !up(i) {
			continue
		}
		if s := mix(h ^ name); best < 0 || s > score || s == score && name > names[best] {
			best, score = i, s
		}
	}
	return best
}

// mix spreads the bits of x: one that differs makes half of the result differ. (The finisher of SplitMix64.)
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
