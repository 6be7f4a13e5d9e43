package legacy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
)

// nonces makes nonces, and knows its own again without remembering them: each is 16 random bytes and a tag that only this process can make. So
// a challenge that comes back to us as somebody else's is recognised however old it is. See docs/peer-protocol.md §8.6, reflection.
type nonces struct {
	secret [32]byte
	random io.Reader
}

func newNonces(random io.Reader) (*nonces, error) {
	if random == nil {
		random = rand.Reader
	}
	n := &nonces{random: random}
	_, err := io.ReadFull(random, n.secret[:])
	return n, err
}

func (n *nonces) tag(b []byte) []byte {
	mac := hmac.New(sha256.New, n.secret[:])
	mac.Write(b)
	return mac.Sum(nil)[:16]
}

// make returns a nonce that has not been used before. An error of the random source is the caller's to report: nothing may go on without it.
func (n *nonces) make() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(n.random, b[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(append(b[:], n.tag(b[:])...)), nil
}

// isOwn reports whether make has returned the nonce, in whatever way it is spelt now.
func (n *nonces) isOwn(nonce string) bool {
	b, err := base64.StdEncoding.DecodeString(nonce)
	return err == nil && len(b) == 32 && hmac.Equal(b[16:], n.tag(b[:16]))
}
