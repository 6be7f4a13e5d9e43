package legacy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// vectors is testdata/vectors.json: values computed from recorded bytes.
type vectors struct {
	Handshakes []struct {
		Name, Password, Username, Realm, Nonce, CNonce, QOP, URI, Response, RspAuth string

		NC     uint32
		A1     string `json:"a1_sha256_hex"`
		A2     string `json:"a2_request_sha256_hex"`
		A2r    string `json:"a2_reply_sha256_hex"`
		Key    string `json:"session_key_hex"`
		AES    string `json:"aes128_key_hex"`
		IV     string `json:"iv_hex"`
		Bodies []struct {
			Key         string
			Cipher      string `json:"ciphertext_hex"`
			Plain       string `json:"plaintext_hex"`
			PlainLength int    `json:"plaintext_length"`
		}
	}
	Wire map[string]struct {
		Hex string
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	check(t, err)
	var v vectors
	check(t, json.Unmarshal(text, &v))
	if len(v.Handshakes) != 6 || len(v.Wire) != 15 {
		t.Fatalf("%d handshakes, %d messages", len(v.Handshakes), len(v.Wire))
	}
	return v
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	check(t, err)
	return b
}

// TestWireVectors: every complete message is read, means what its name says, and is written again to the byte.
func TestWireVectors(t *testing.T) {
	kinds := map[string]Kind{
		"ping": KindPing, "ping_reply": KindPingReply, "auth_begin": KindAuthBegin, "auth_answer": KindAuthAnswer, "query": KindQuery,
		"query_rebroadcast": KindQuery, "transfer_plain": KindTransfer, "transfer_locked_encrypted": KindTransfer,
	}
	for name, w := range readVectors(t).Wire {
		t.Run(name, func(t *testing.T) {
			raw := unhex(t, w.Hex)
			m, body := parseOne(t, raw)
			want, ok := kinds[name]
			if !ok {
				want = KindResponse
			}
			if m.Kind != want || m.Bad {
				t.Fatalf("read as %+v, want kind %d", m, want)
			}
			if got := append(Append(nil, &m), body...); !bytes.Equal(got, raw) {
				t.Errorf("written as\n%q, was\n%q", got, raw)
			}
		})
	}
}

// parseOne reads a message and its body from bytes that hold just that.
func parseOne(t *testing.T, raw []byte) (Message, []byte) {
	t.Helper()
	r := NewReader(bytes.NewReader(raw))
	var m Message
	check(t, r.Next(&m))
	body := make([]byte, m.Length)
	check(t, r.Body(body))
	var more Message
	if err := r.Next(&more); err == nil {
		t.Fatalf("another message behind it: %+v", more)
	}
	return m, body
}

// TestHandshakeVectors: every value of the six recorded handshakes. See docs/peer-protocol.md §8.2, §8.3.
func TestHandshakeVectors(t *testing.T) {
	bodies := 0
	for _, h := range readVectors(t).Handshakes {
		t.Run(h.Name, func(t *testing.T) {
			d := Digest{
				Username: h.Username, Realm: h.Realm, Nonce: h.Nonce, CNonce: h.CNonce, QOP: h.QOP, URI: h.URI, NC: h.NC, Algorithm: algorithm,
			}
			same := func(what, got, want string) {
				if got != want {
					t.Errorf("%s is %s, want %s", what, got, want)
				}
			}
			same("H(A1)", hash(h.Username+":"+h.Realm+":"+h.Password), h.A1)
			same("H(A2)", hash("GET:"+h.URI), h.A2)
			same("H(A2) of the reply", hash(":"+h.URI), h.A2r)
			same("response", d.proof(h.Password, "GET"), h.Response)
			same("rspauth", d.proof(h.Password, ""), h.RspAuth)
			k := d.key(h.Password)
			same("K", hex.EncodeToString(k[:]), h.Key)
			same("AES key and IV", hex.EncodeToString(k[:]), h.AES+h.IV)
			for _, b := range h.Bodies {
				bodies++
				plain, sealed := unhex(t, b.Plain), unhex(t, b.Cipher)
				same("ciphertext of "+b.Key, hex.EncodeToString(k.appendSealed(nil, plain)), b.Cipher)
				got, err := k.open(bytes.Clone(sealed), b.PlainLength)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s decrypts to %q, %v", b.Key, got, err)
				}
				for _, n := range []int{b.PlainLength - 1, b.PlainLength + 1, 0, b.PlainLength + 16} {
					if _, err := k.open(bytes.Clone(sealed), n); err == nil {
						t.Errorf("%s decrypts although its length is said to be %d", b.Key, n)
					}
				}
				sealed[len(sealed)-1] ^= 1 // garbles the last block
				if _, err := k.open(sealed, b.PlainLength); err == nil {
					t.Errorf("%s decrypts although its padding is changed", b.Key)
				}
			}
		})
	}
	if bodies == 0 {
		t.Error("no encrypted body")
	}
}

func TestSealedLengths(t *testing.T) {
	k := key{1, 2, 3}
	for n := range 50 {
		plain := []byte(strings.Repeat("x", n))
		sealed := k.appendSealed([]byte("head"), plain)[4:]
		if len(sealed) != sealedLen(n) {
			t.Errorf("%d bytes become %d, want %d", n, len(sealed), sealedLen(n))
		}
		if got, err := k.open(sealed, n); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
	}
	for _, bad := range []int{0, 1, 15, 17} {
		if _, err := k.open(make([]byte, bad), 0); err == nil {
			t.Errorf("%d bytes decrypt", bad)
		}
	}
}
