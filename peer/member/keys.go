package member

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
)

// plainLabel is the label of farms without a secret.
const plainLabel = "farmstate-plain"

// deriveKeys makes the key of the gossip (AES-256) and its label from the farm's secret. The label goes in front of every packet, in clear, and is
// authenticated by it: what has another label is another farm's, and is dropped unread. Without a secret there is no key.
func deriveKeys(secret []byte) (key []byte, label string, err error) {
	if secret == nil {
		return nil, plainLabel, nil
	}
	if key, err = hkdf.Key(sha256.New, secret, nil, "farmstate gossip key 1", 32); err != nil {
		return nil, "", err
	}
	tag, err := hkdf.Key(sha256.New, secret, nil, "farmstate gossip label 1", 8)
	return key, "farmstate-" + hex.EncodeToString(tag), err
}
