package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode"
)

const (
	minSecret = 16      // bytes; fewer can be guessed
	maxSecret = 4 << 10 // bytes; more is some other file
)

// ReadSecret reads the secret of the farm from a file: all of it but white
// space at its ends. The warning, empty if there is none, is about who else
// can read the file. The error is a [Problem]; neither holds any of the
// content.
func ReadSecret(name string) (secret []byte, warning string, err error) {
	data, warning, err := readSecretFile(name)
	if err != nil {
		return nil, "", err
	}
	secret = bytes.TrimSpace(data)
	if len(secret) < minSecret {
		return nil, "", Problem{name, fmt.Sprintf("holds %d bytes without the white space at its ends; a secret needs at least %d, for example: openssl rand -base64 32 > %s",
			len(secret), minSecret, name)}
	}
	return secret, warning, nil
}

// ReadToken reads the token of the admin pages from a file, as ReadSecret does. It is sent in a header, so it has visible ASCII characters only.
func ReadToken(name string) (token, warning string, err error) {
	secret, warning, err := ReadSecret(name)
	if err != nil {
		return "", "", err
	}
	if bytes.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", "", Problem{name, "holds characters that cannot stand in a header; a token has visible ASCII characters without blanks, for example: openssl rand -hex 32 > " + name}
	}
	return string(secret), warning, nil
}

// readPassword reads the password of a legacy peer from a file: all of it but
// one line break at its end, because white space counts there.
func readPassword(name string) (password, warning string, err error) {
	data, warning, err := readSecretFile(name)
	if err != nil {
		return "", "", err
	}
	text, err := plainText(name, data)
	if err != nil {
		return "", "", Problem{name, "is not UTF-8; save it as UTF-8"} // Without the byte, which is secret.
	}
	password = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", "", Problem{name, "is empty; write the password into it"}
	}
	return password, warning, nil
}

func readSecretFile(name string) (data []byte, warning string, err error) {
	data, info, err := readBounded(name, maxSecret, "file with the secret")
	if err != nil {
		return nil, "", err
	}
	return data, worldReadable(name, info), nil
}

// worldReadable is a warning about a secret that everybody on the machine can
// read; empty where that is not so, or not known.
func worldReadable(name string, info os.FileInfo) string {
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return name + ": every account of this machine can read it; let only the one that runs farmstate do so: chmod 600 " + name
}

func parseFileName(text string) (string, error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", errors.New("has a control character in it")
	}
	return text, nil
}
