package webconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MachineKey is <machineKey>. The keys themselves are never kept.
type MachineKey struct {
	Section
	Validation, Decryption Key
	ValidationAlgorithm    string // as written; empty if it is not
	DecryptionAlgorithm    string
	Compatibility          string
}

// Key is one of the two keys.
type Key struct {
	Set      bool
	Auto     bool   // AutoGenerate: each machine makes its own
	Isolate  string // IsolateApps, IsolateByAppId, or both with a comma between: each application has its own, made from the key
	Digest   string // of a key that is written out: the same for the same key, too short to find the key by
	Bytes    int    // of a key that is written out
	BadDigit bool   // it is not hexadecimal
}

// digestBytes is how long a key's digest is.
const digestBytes = 3

func (k *MachineKey) take(name, value string) {
	switch name {
	case "validationKey":
		k.Validation = keyOf(value)
	case "decryptionKey":
		k.Decryption = keyOf(value)
	case "validation":
		k.ValidationAlgorithm = show(value)
	case "decryption":
		k.DecryptionAlgorithm = show(value)
	case "compatibilityMode":
		k.Compatibility = show(value)
	}
}

func keyOf(value string) Key {
	if value == "" {
		return Key{}
	}
	k := Key{Set: true}
	first, rest, _ := strings.Cut(value, ",")
	k.Isolate = isolation(rest)
	first = strings.TrimSpace(first)
	if strings.EqualFold(first, "AutoGenerate") {
		k.Auto = true
		return k
	}
	raw, err := hex.DecodeString(first)
	if err != nil {
		k.BadDigit = true
	}
	k.Bytes = len(raw)
	sum := sha256.Sum256([]byte("web.config key\x00" + strings.ToUpper(first))) // hexadecimal digits mean the same in both cases
	k.Digest = hex.EncodeToString(sum[:digestBytes])
	return k
}

// isolation is which of the words behind a key make one of it for each application.
func isolation(words string) string {
	var found []string
	for word := range strings.SplitSeq(words, ",") {
		for _, known := range []string{"IsolateApps", "IsolateByAppId"} {
			if strings.EqualFold(strings.TrimSpace(word), known) && !slices.Contains(found, known) {
				found = append(found, known)
			}
		}
	}
	slices.Sort(found)
	return strings.Join(found, ",")
}

// DefaultConnection is the stateConnectionString of ASP.NET if nothing is written.
const DefaultConnection = "tcpip=loopback:42424"

// ErrConnection says what a stateConnectionString has to be.
var ErrConnection = errors.New(`it has to be tcpip=HOST:PORT, in small letters, such as tcpip=127.0.0.1:42424`)

// Connection reads a stateConnectionString. An IPv6 address has brackets around it in the text, not in host.
func Connection(text string) (host string, port int, err error) {
	rest, ok := strings.CutPrefix(text, "tcpip=")
	if !ok {
		return "", 0, ErrConnection
	}
	host, service, err := net.SplitHostPort(rest)
	if err != nil || host == "" {
		return "", 0, ErrConnection
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, ErrConnection
	}
	return host, int(n), nil
}

// Duration reads a time span: a whole number of units, or [d.]hh:mm[:ss]. Infinite is 0 and false as second result.
func Duration(text string, unit time.Duration) (d time.Duration, finite bool, err error) {
	if strings.EqualFold(text, "Infinite") {
		return 0, false, nil
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * unit, true, nil
	}
	bad := errors.New("is no time span")
	days := int64(0)
	rest := text
	if before, after, ok := strings.Cut(text, "."); ok && strings.Contains(after, ":") {
		if days, err = strconv.ParseInt(before, 10, 16); err != nil || days < 0 {
			return 0, false, bad
		}
		rest = after
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, false, bad
	}
	d = time.Duration(days) * 24 * time.Hour
	for i, size := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
		n, err := strconv.ParseUint(parts[i], 10, 8)
		if err != nil || n > []uint64{23, 59, 59}[i] {
			return 0, false, bad
		}
		d += time.Duration(n) * size
	}
	return d, true, nil
}
