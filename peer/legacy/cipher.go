package legacy

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// key is the key material of a connection: a key of AES-128 and an initialisation vector. See docs/peer-protocol.md §8.3.
type key [32]byte

var errDecrypt = errors.New("the body does not decrypt to what its head says")

func (k *key) block() cipher.Block {
	b, err := aes.NewCipher(k[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return b
}

// sealedLen is the length of the ciphertext of n bytes.
func sealedLen(n int) int { return n + aes.BlockSize - n%aes.BlockSize }

// appendSealed appends the ciphertext of plain.
func (k *key) appendSealed(dst, plain []byte) []byte {
	start := len(dst)
	dst = append(dst, plain...)
	pad := sealedLen(len(plain)) - len(plain)
	for range pad {
		dst = append(dst, byte(pad))
	}
	cipher.NewCBCEncrypter(k.block(), k[16:]).CryptBlocks(dst[start:], dst[start:])
	return dst
}

// open decrypts body in place and returns the plaintext, which has to have n bytes. There is one error for all that can be wrong.
func (k *key) open(body []byte, n int) ([]byte, error) {
	if len(body) == 0 || len(body)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	cipher.NewCBCDecrypter(k.block(), k[16:]).CryptBlocks(body, body)
	pad := int(body[len(body)-1])
	good := pad >= 1 && pad <= aes.BlockSize && len(body)-pad == n
	if good {
		for _, c := range body[n:] {
			good = good && int(c) == pad
		}
	}
	if !good {
		return nil, errDecrypt
	}
	return body[:n], nil
}
