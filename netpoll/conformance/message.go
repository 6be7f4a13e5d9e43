package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// message is what a step sends, and in which pieces. Static after decoding.
type message struct {
	data  data
	every int   // cut into pieces of so many bytes; 0: see cuts
	cuts  []int // cut at these offsets, below 0 from the end
	gap   time.Duration
}

// takeMessage decodes send, chunk and gap_ms; without send it returns nil.
func takeMessage(o *object) *message {
	d, ok := takeWith(o, "send", decodeData)
	if !ok {
		return nil // chunk and gap_ms are left over and thus found to be unknown
	}
	m := &message{data: d}
	if d.size() == 0 {
		o.fail("send: it is empty")
	}
	cut := o.has("chunk")
	if raw, ok := take[json.RawMessage](o, "chunk"); ok {
		if err := m.decodeChunk(raw); err != nil {
			o.fail("chunk: %w", err)
		}
	}
	if ms, ok := take[int](o, "gap_ms"); ok {
		if ms < 0 || !cut {
			o.fail("gap_ms: want a time, and chunk beside it")
		}
		m.gap = time.Duration(ms) * time.Millisecond
	}
	return m
}

func (m *message) decodeChunk(raw []byte) error {
	if err := strictly(raw, &m.every); err == nil {
		if m.every < 1 {
			return fmt.Errorf("%d is no size of pieces", m.every)
		}
		return nil
	}
	m.every = 0
	var offsets []int
	if err := strictly(raw, &offsets); err != nil {
		return errors.New("want a size or a list of offsets")
	}
	size := m.data.size()
	for _, at := range offsets {
		if at < 0 {
			at += size
		}
		if at <= 0 || at >= size {
			return fmt.Errorf("offsets %v are not all inside the %d bytes", offsets, size)
		}
		m.cuts = append(m.cuts, at)
	}
	slices.Sort(m.cuts)
	m.cuts = slices.Compact(m.cuts)
	return nil
}

// pieces returns b as it is cut. The pieces alias b.
func (m *message) pieces(b []byte) [][]byte {
	if m.every > 0 {
		return slices.Collect(slices.Chunk(b, m.every))
	}
	var pieces [][]byte
	from := 0
	for _, at := range m.cuts {
		pieces = append(pieces, b[from:at])
		from = at
	}
	return append(pieces, b[from:])
}

// on sends m on c.
func (m *message) on(ctx context.Context, p *player, c *conn) error {
	if c.closedByServer() {
		return errors.New("the server has closed the connection, nothing can be sent on it")
	}
	for i, piece := range m.pieces(m.data.bytes(p.names)) {
		if i > 0 && m.gap > 0 {
			if err := pause(ctx, m.gap); err != nil {
				return err
			}
		}
		if err := c.send(piece); err != nil {
			return err
		}
	}
	return nil
}
