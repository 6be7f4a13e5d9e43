package conformance

import (
	"bytes"
	"crypto/rand"
	"strings"
)

// targetPrefix is the target of a session of site 1's root, up to its id, as a
// real client spells it. See docs/protocol.md §3.8.
const targetPrefix = "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2f"

// names are what the placeholders of one run stand for.
type names struct {
	id, id2 string // session ids nobody has used before
}

// sampleNames has the lengths of every other names.
var sampleNames = newNames()

func newNames() *names { return &names{id: newID(), id2: newID()} }

// newID returns a session id of the usual shape: 24 characters of a-z0-5, thus
// 120 random bits.
func newID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz012345"
	var b [24]byte
	rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = alphabet[b[i]%byte(len(alphabet))]
	}
	return string(b[:])
}

func (n *names) target() string { return targetPrefix + n.id }

// replace returns text with the placeholders replaced; any other brace stands
// for itself. The result may alias text.
func (n *names) replace(text []byte) []byte {
	if !bytes.Contains(text, []byte("{")) {
		return text
	}
	r := strings.NewReplacer(
		"{S}", n.id,
		"{SU}", strings.ToUpper(n.id),
		"{S2}", n.id2,
		"{K}", n.target(),
		"{K2}", targetPrefix+n.id2,
	)
	return []byte(r.Replace(string(text)))
}
