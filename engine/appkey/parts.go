package appkey

import "bytes"

// MaxPrefix is the length in bytes up to which a prefix is remembered, by Table as well as by Rules. Real ones stay far below; the bound keeps
// a client that makes them up from filling memory.
const MaxPrefix = 1024

// Parts are the parts of a key. They alias the key they were read from.
type Parts struct {
	App  []byte // application id, such as /LM/W3SVC/1/ROOT; never empty, and may contain parentheses and slashes
	Hash []byte // what stands in the parentheses: base64 if a real client sent it
	ID   []byte // session id; never empty, and without a slash
}

// Split reads the parts of a key. It returns false if the key does not have them, which is not an error: every byte string
// is a key. The last ( before the last )/ decides, so App "(" Hash ")/" ID is the key again, and Hash has no opening parenthesis.
// See docs/protocol.md §3.8. 0 allocations.
func Split(key []byte) (Parts, bool) {
	prefix := untilID(key)
	if prefix == nil {
		return Parts{}, false
	}
	open := bytes.LastIndexByte(prefix, '(')
	if open < 1 {
		return Parts{}, false
	}
	return Parts{App: prefix[:open:open], Hash: prefix[open+1 : len(prefix)-1 : len(prefix)-1], ID: key[len(prefix)+1:]}, true
}

// Prefix returns everything in front of "/" and the session id, that is App "(" Hash ")", or nil if the key does not have these parts.
// Aliases key. 0 allocations.
func Prefix(key []byte) []byte {
	prefix := untilID(key)
	if bytes.LastIndexByte(prefix, '(') < 1 {
		return nil
	}
	return prefix
}

// untilID returns what would be the prefix of key, without looking for the opening parenthesis; nil if there is no session id or no closing
// parenthesis before it. Its capacity ends with it, so that appending to it cannot overwrite the session id.
func untilID(key []byte) []byte {
	slash := bytes.LastIndexByte(key, '/')
	if slash < 1 || slash == len(key)-1 || key[slash-1] != ')' {
		return nil
	}
	return key[:slash:slash]
}
