package message

import "encoding/hex"

// String returns the id as 32 small hex digits, the way it stands in messages.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// String returns the node's id as 32 small hex digits, the way it stands in messages.
func (n Node) String() string { return hex.EncodeToString(n[:]) }

// ParseID reads an id: 32 hex digits, or a guid in the other forms that the peers of the original know, with hyphens, and with braces or
// parentheses around those. See docs/peer-protocol.md §3.3.
func ParseID(text string) (ID, bool) {
	id, ok := parse16(text)
	return id, ok
}

// ParseNode reads the id of a node, as ParseID reads others.
func ParseNode(text string) (Node, bool) {
	n, ok := parse16(text)
	return n, ok
}

// Lengths of the forms of a guid.
const (
	plainGuid  = 32
	hyphenGuid = 36
	closedGuid = 38
)

func parse16[T string | []byte](text T) (id [16]byte, ok bool) {
	if len(text) == closedGuid {
		first, last := text[0], text[closedGuid-1]
		if !(first == '{' && last == '}' || first == '(' && last == ')') {
			return id, false
		}
		text = text[1 : closedGuid-1]
	}
	if len(text) != plainGuid && len(text) != hyphenGuid {
		return id, false
	}
	var digits [plainGuid]byte
	n := 0
	if len(text) == plainGuid {
		n = copy(digits[:], text)
		text = text[:0]
	}
	for i := range len(text) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if text[i] != '-' {
				return id, false
			}
			continue
		}
		digits[n] = text[i]
		n++
	}
	_, err := hex.Decode(id[:], digits[:])
	return id, err == nil
}
