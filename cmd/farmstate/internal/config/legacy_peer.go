package config

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// LegacyPeer is a peer-to-peer state server that this node is linked to. Its
// settings are those of that server. See docs/migration-p2p.md.
type LegacyPeer struct {
	Address      string
	Authenticate bool
	Encrypt      bool
	Password     string // a secret; empty without Authenticate

	file string // that Password was read from; empty if it stood in the configuration
}

// MaxPassword bounds the password of a legacy peer, in bytes.
const MaxPassword = 1 << 10

const (
	// weakPassword is the length in characters below which a password can be
	// found by trying, which whoever records one handshake can do.
	weakPassword = 12

	// deliveredPassword is what the original comes with.
	deliveredPassword = "Cello"

	// passwordMask stands for a password where it is printed.
	passwordMask = "********"
)

// legacyPeers takes the [[legacy_peer]] tables of the file.
func (l *loader) legacyPeers() {
	if l.reader == nil {
		return
	}
	for _, item := range l.reader.itemsOf(legacyPeers) {
		l.config.LegacyPeers = append(l.config.LegacyPeers, l.legacyPeer(item))
		l.config.legacyAt = append(l.config.legacyAt, Origin{SourceFile, l.reader.where(item.line)})
	}
}

func (l *loader) legacyPeer(item *fileItem) LegacyPeer {
	p := LegacyPeer{
		Address:      item.text("address"),
		Authenticate: item.text("authenticate") == "true",
		Encrypt:      item.text("encrypt") == "true",
	}
	report := func(key, format string, args ...any) {
		if !item.values[key].bad {
			l.reader.report(item.at(key), legacyPeers.name+"."+key, format, args...)
		}
	}
	if !item.has("address") {
		report("address", "is missing; accepted: %s", peerForm)
	} else if err := CheckOriginal(p.Address); err != nil {
		report("address", "%s", err)
	}
	if p.Encrypt && !p.Authenticate && !item.values["authenticate"].bad {
		report("encrypt", "true needs authenticate = true, since the key for it comes out of the authentication")
	}
	l.legacyPassword(&p, item, report)
	return p
}

// legacyPassword reads the password of a peer from where the table has it.
func (l *loader) legacyPassword(p *LegacyPeer, item *fileItem, report func(key, format string, args ...any)) {
	key := "password"
	switch inline, file := item.has("password"), item.has("password_file"); {
	case item.values["password"].bad || item.values["password_file"].bad || item.values["authenticate"].bad:
		return
	case inline && file:
		report("password_file", "the password is there too, on line %d; keep one of the two", item.at("password"))
		return
	case !inline && !file:
		if p.Authenticate {
			report("authenticate", "true needs the password of that peer; add password, or password_file with the name of a file that holds it")
		}
		return
	case inline:
		p.Password = item.text("password")
	case file:
		key, p.file = "password_file", item.text("password_file")
		password, warning, err := readPassword(p.file)
		if err != nil {
			report(key, "%s", err)
			return
		}
		if warning != "" {
			l.warn(l.reader.where(item.at(key))+": "+legacyPeers.name+"."+key, warning)
		}
		p.Password = password
	}
	switch {
	case !p.Authenticate:
		report(key, "is used with authenticate = true only; add that, or remove the password")
	case p.Password == "":
		report(key, "is empty, which the original does not accept")
	case len(p.Password) > MaxPassword:
		report(key, "is longer than %d bytes", MaxPassword)
	default:
		if weak := weakness(p.Password); weak != "" {
			l.warn(l.reader.where(item.at(key))+": "+legacyPeers.name+"."+key, weak)
		}
	}
}

// weakness says what is wrong with a password that is accepted all the same;
// empty for nothing.
func weakness(password string) string {
	const change = "choose another, and change it on all peers at one time"
	switch {
	case password == passwordMask:
		return "is the mask that farmstate config print writes in place of a password; write the password itself"
	case password == deliveredPassword:
		return "is the one that the original is delivered with, which everybody knows; " + change
	case utf8.RuneCountInString(password) < weakPassword:
		return fmt.Sprintf("is shorter than %d characters, so that whoever records a connection can find it by trying; %s", weakPassword, change)
	}
	return ""
}

// LegacyOrigin says where LegacyPeers[i] was written.
func (c *Config) LegacyOrigin(i int) Origin {
	return c.legacyAt[i]
}

// legacyIndex finds a legacy peer by its address; -1 when there is none.
func (c *Config) legacyIndex(addr string) int {
	same := sameAddress(addr)
	return slices.IndexFunc(c.LegacyPeers, func(p LegacyPeer) bool { return sameAddress(p.Address) == same })
}
