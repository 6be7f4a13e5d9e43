package legacy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// Digest is what the headers of an authentication say. See docs/peer-protocol.md §8.2.
type Digest struct {
	Username, Realm, Nonce, CNonce, QOP, URI, Response, RspAuth, Algorithm string

	NC uint32
}

const (
	realmPrefix = "state_service@"
	algorithm   = "SHA-256"
)

// parseDigest reads the value of one of the three headers. Blanks are allowed everywhere, commas within values are not.
func parseDigest(value string) (d Digest) {
	value = trim(value)
	if len(value) >= 6 && strings.EqualFold(value[:6], "Digest") {
		value = value[6:]
	}
	for part := range strings.SplitSeq(value, ",") {
		name, v, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		v = trim(v)
		if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
			v = trim(v[1 : len(v)-1])
		}
		d.set(strings.ToLower(trim(name)), v)
	}
	return d
}

func (d *Digest) set(name, v string) {
	switch name {
	case "username":
		d.Username = v
	case "realm":
		d.Realm = v
	case "nonce":
		d.Nonce = v
	case "cnonce":
		d.CNonce = v
	case "qop":
		d.QOP = v
	case "uri":
		d.URI = v
	case "response":
		d.Response = v
	case "rspauth":
		d.RspAuth = v
	case "algorithm":
		d.Algorithm = v
	case "nc":
		if n, err := strconv.ParseUint(v, 16, 32); err == nil {
			d.NC = uint32(n)
		}
	}
}

// appendAnswer writes Authorization. The odd blanks are the original's.
func (d *Digest) appendAnswer(dst []byte) []byte {
	dst = append(dst, `Authorization: Digest username = "`+d.Username+`", realm="`+d.Realm+`" , nonce="`+d.Nonce+`", uri ="`+d.URI+`",qop="`+d.QOP+`",nc=`...)
	dst = strconv.AppendUint(dst, uint64(d.NC), 16)
	return append(dst, `,cnonce="`+d.CNonce+`" ,response="`+d.Response+`",algorithm="`+d.Algorithm+"\"\r\n"...)
}

// appendChallenge writes WWW-Authenticate.
func (d *Digest) appendChallenge(dst []byte) []byte {
	return append(dst, `WWW-Authenticate: Digest realm="`+d.Realm+`", qop="`+d.QOP+`", nonce="`+d.Nonce+`", algorithm="`+d.Algorithm+"\"\r\n"...)
}

// appendInfo writes Authentication-Info.
func (d *Digest) appendInfo(dst []byte) []byte {
	dst = append(dst, `Authentication-Info: qop="`+d.QOP+`",rspauth="`+d.RspAuth+`",cnonce="`+d.CNonce+`",nc=`...)
	return append(strconv.AppendUint(dst, uint64(d.NC), 16), "\r\n"...)
}

// complete reports whether an Authorization has all that it needs, in a form that can be checked.
func (d *Digest) complete() bool {
	if d.Username == "" || d.Realm == "" || d.QOP == "" || d.URI == "" || !strings.EqualFold(d.Algorithm, algorithm) {
		return false
	}
	for _, v := range []string{d.Nonce, d.CNonce, d.Response} {
		if _, err := base64.StdEncoding.DecodeString(v); v == "" || err != nil {
			return false
		}
	}
	return true
}

// hash is H of docs/peer-protocol.md §8.2: SHA-256 in capital hexadecimal digits.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// proof is what proves the password. prefix is "GET" for the dialler's response, empty for the acceptor's rspauth.
func (d *Digest) proof(password, prefix string) string {
	a1 := hash(d.Username + ":" + d.Realm + ":" + password)
	nc := strconv.FormatUint(uint64(d.NC), 10)
	return hash(a1 + ":" + d.Nonce + ":" + nc + ":" + d.CNonce + ":" + d.QOP + ":" + hash(prefix+":"+d.URI))
}

// key derives the key material of a connection. See docs/peer-protocol.md §8.3.
func (d *Digest) key(password string) key {
	nonce, _ := base64.StdEncoding.DecodeString(d.Nonce) // both are known to be good: complete, or checkChallenge
	cnonce, _ := base64.StdEncoding.DecodeString(d.CNonce)
	return sha256.Sum256([]byte(d.Username + d.Realm + password + string(nonce) + string(cnonce)))
}

// same compares two proofs in a time that does not depend on where they differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
