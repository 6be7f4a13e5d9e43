package snapshot

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// tagLen is how much longer a sealed content is.
const tagLen = 16

// sealer encrypts the contents of frames and opens them again. A nil one leaves them as they are.
type sealer struct{ aead cipher.AEAD }

// newSealer derives the keys of a file with this beginning of a header. The check tells another secret from damage, and nothing about the secret.
func newSealer(secret, salt, header []byte) (s *sealer, check [checkLen]byte, err error) {
	const purpose = "farmstate snapshot"
	keys, err := hkdf.Key(sha256.New, secret, salt, purpose+string(header), 32+checkLen)
	if err != nil {
		return nil, check, err
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, check, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, [checkLen]byte(keys[32:]), err
}

// nonce is that of a frame. No two frames of a file have one number, and no two files one key.
func nonce(number uint64) (n [12]byte) {
	binary.BigEndian.PutUint64(n[4:], number)
	return n
}

// seal encrypts the content of a frame, in place, and makes it longer. head is what stands before it.
func (s *sealer) seal(number uint64, head, content []byte) []byte {
	n := nonce(number)
	return s.aead.Seal(content[:0], n[:], content, head)
}

// open is the reverse of seal.
func (s *sealer) open(number uint64, head, content []byte) ([]byte, bool) {
	n := nonce(number)
	plain, err := s.aead.Open(content[:0], n[:], content, head)
	return plain, err == nil
}

// extra is how much longer seal makes a content.
func (s *sealer) extra() int {
	if s == nil {
		return 0
	}
	return tagLen
}
