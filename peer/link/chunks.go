package link

// chunk is encoded messages, one behind the other.
type chunk struct {
	b        []byte
	messages int
	weight   int // what they count for in the outbox
}

// chunks are encoded messages in order, in portions of about chunkSize.
type chunks struct {
	list  []chunk
	spare [][]byte // for further chunks, at most maxSpare
}

// maxSpare is how many chunks' memory is kept, so that a busy link leaves little garbage. outbox.trim lets go of it.
const maxSpare = 8

// add appends one message that encode appends to what it is given. weight is what it counts for; below 0: its length, which is returned.
func (c *chunks) add(weight int, encode func(dst []byte) []byte) int {
	if n := len(c.list); n == 0 || len(c.list[n-1].b) >= chunkSize {
		c.list = append(c.list, chunk{b: c.memory(n > 0)})
	}
	last := &c.list[len(c.list)-1]
	before := len(last.b)
	last.b = encode(last.b)
	if weight < 0 {
		weight = len(last.b) - before
	}
	last.messages++
	last.weight += weight
	return weight
}

// take removes the first chunk. Its bytes are valid until the next give.
func (c *chunks) take() (first chunk, ok bool) {
	if len(c.list) == 0 {
		return chunk{}, false
	}
	first, c.list[0] = c.list[0], chunk{}
	if c.list = c.list[1:]; len(c.list) == 0 {
		c.list = nil
	}
	return first, true
}

// memory is that of a new chunk. A busy link needs all of it.
func (c *chunks) memory(busy bool) []byte {
	if n := len(c.spare); n > 0 {
		b := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return b
	}
	if busy {
		return make([]byte, 0, chunkSize+chunkSize/8)
	}
	return nil // it grows as far as it must
}

// give takes back the memory of a chunk.
func (c *chunks) give(b []byte) {
	if len(c.spare) < maxSpare && cap(b) <= 3*chunkSize {
		c.spare = append(c.spare, b[:0])
	}
}
