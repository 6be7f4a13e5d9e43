package bench

// mixBits turns a number into one that looks unrelated to it, and different numbers into different ones: the finaliser of
// SplitMix64. Choices are made by it, and not by a generator with a state, so that page n of a run is the same page whichever
// connection comes to drive it.
func mixBits(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// choice is the source of the few random numbers that belong to one page or one session.
type choice uint64

func newChoice(seed, n uint64) choice { return choice(mixBits(seed ^ mixBits(n))) }

// next returns 64 random bits.
func (c *choice) next() uint64 {
	*c = choice(mixBits(uint64(*c)))
	return uint64(*c)
}

// below returns a number of 0 to n-1. The unevenness of the remainder is far below what a load test can show.
func (c *choice) below(n int) int {
	return int(c.next() % uint64(n))
}
