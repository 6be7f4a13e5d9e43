package p2pconfig

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// The ranges of farmstate's options.
const (
	maxOurForwards = 255
	minOurTimeout  = 10 * time.Millisecond
	maxOurTimeout  = time.Minute
	ourMaxPeers    = 256   // the default
	adminPort      = 42480 // the default
)

// writer puts a configuration together.
type writer struct {
	out []byte
}

// comment writes a paragraph as lines of comment.
func (w *writer) comment(format string, args ...any) {
	const width = 110
	line := "#"
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len(line)+1+len(word) > width && line != "#" {
			w.line("%s", line)
			line = "#"
		}
		line += " " + word
	}
	w.line("%s", line)
}

func (w *writer) line(format string, args ...any) {
	w.out = fmt.Appendf(w.out, format+"\n", args...)
}

// AppendTOML appends the configuration of farmstate that does what s does, as
// far as it can without being told more.
func (s *Settings) AppendTOML(dst []byte) []byte {
	w := &writer{out: dst}
	w.comment("Made by farmstate config import from %s, the configuration of a peer-to-peer state server. Every comment says what "+
		"the lines below it came from; docs/migration-p2p.md says what to do next.", strconv.Quote(short(s.name)))
	if s.authenticate && len(s.links()) > 0 {
		w.comment("This file holds a password: let only the account that runs farmstate read it.")
	}
	s.ports(w)
	s.searches(w)
	s.farm(w)
	for _, e := range s.unknown {
		w.line("")
		w.comment("%s, line %d: neither the original nor farmstate has such a setting.", strconv.Quote(short(e.key)), e.line)
	}
	s.peerTables(w)
	return w.out
}

// ports writes where the node listens: on this machine alone, since farmstate
// refuses more unless it is told for whom, which the original's file does not
// say.
func (s *Settings) ports(w *writer) {
	w.line("")
	w.comment("%s. The original listens on every address of the machine and lets anybody in. This is for web servers on this "+
		"machine alone; for others write instead, with their networks:", s.from(webserverPort))
	w.line(`#   listen = ":%d"`, s.webserverPort)
	w.line(`#   allow = ["10.1.0.0/24"]`)
	w.line(`listen = "127.0.0.1:%d"`, s.webserverPort)
	w.line("")
	if s.standalone {
		w.comment("%s. It is not used in standalone mode.", s.from(peerPort))
	} else {
		w.comment("%s. The original listens on every address here too, and delivers sessions on connections that it opens itself. "+
			"Peers on other machines have to reach this port: for them write instead, with their networks, and a file with a secret "+
			"that protects links between nodes of farmstate:", s.from(peerPort))
		w.line(`#   peer_listen = ":%d"`, s.peerPort)
		w.line(`#   peer_allow = [%s]`, s.networks())
		w.line(`#   peer_secret_file = "farm.secret"`)
		w.line(`peer_listen = "127.0.0.1:%d"`, s.peerPort)
	}
	s.admin(w)
}

// admin moves the admin pages out of the way.
func (s *Settings) admin(w *writer) {
	taken := func(port int) bool { return port == s.webserverPort || !s.standalone && port == s.peerPort }
	if !taken(adminPort) {
		return
	}
	port := adminPort + 1
	for taken(port) {
		port++
	}
	w.line("")
	w.comment("The admin pages of farmstate have port %d otherwise, which is taken above.", adminPort)
	w.line(`admin = "127.0.0.1:%d"`, port)
}

// networks are the addresses of the peers on other machines, or an example
// where the file has no addresses.
func (s *Settings) networks() string {
	const few = 8
	var list []string
	for _, p := range s.links() {
		host, _, _ := net.SplitHostPort(p.address) // It was checked.
		ip := net.ParseIP(host)
		if ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") {
			continue
		}
		if ip == nil || len(list) == few {
			return `"10.1.0.0/24"`
		}
		if quoted := config.Quote(ip.String()); !strings.Contains(strings.Join(list, " "), quoted) {
			list = append(list, quoted)
		}
	}
	if len(list) == 0 {
		return `"10.1.0.0/24"`
	}
	return strings.Join(list, ", ")
}

// searches writes how long and how far sessions are looked for.
func (s *Settings) searches(w *writer) {
	forwards, why := s.forwards, ""
	switch {
	case forwards < 0:
		forwards, why = 0, " The original takes it for 0."
	case forwards > maxOurForwards:
		forwards, why = maxOurForwards, fmt.Sprintf(" farmstate accepts up to %d.", maxOurForwards)
	}
	w.line("")
	w.comment("%s.%s", s.from(maxForwards), why)
	w.line("max_forwards = %d", forwards)

	timeout, why := s.timeout, ""
	switch {
	case timeout <= 0:
		timeout, why = time.Second, " The original takes it for 1 second."
	case timeout < minOurTimeout:
		timeout, why = minOurTimeout, fmt.Sprintf(" farmstate accepts %s and more.", minOurTimeout)
	case timeout > maxOurTimeout:
		timeout, why = maxOurTimeout, fmt.Sprintf(" farmstate accepts up to %s.", maxOurTimeout)
	}
	w.line("")
	w.comment("%s, in seconds.%s", s.from(networkQueryTimeout), why)
	w.line("query_timeout = %s", config.Quote(timeout.String()))
}

// farm writes whether there is one, and what was said about all peers
// together.
func (s *Settings) farm(w *writer) {
	w.line("")
	w.comment("%s.", s.from(standaloneMode))
	w.line("standalone = %t", s.standalone)

	w.line("")
	for _, name := range []string{authenticatePeers, encryptPeerData, peerPassword} {
		w.comment("%s.", s.from(name))
	}
	switch {
	case s.standalone:
		w.comment("They are not used in standalone mode.")
	case !s.authenticate && s.encrypt:
		w.comment("The original encrypts nothing without AuthenticatePeers, so they have no effect.")
	case !s.authenticate:
		w.comment("Without AuthenticatePeers they have no effect.")
	default:
		w.comment("They stand in each [[legacy_peer]] below.")
	}
	if n := len(s.links()); n > ourMaxPeers {
		w.line("")
		w.comment("<Peers> has %d; farmstate has %d links unless told otherwise.", n, ourMaxPeers)
		w.line("max_peers = %d", n)
	}
}

// peerTables writes the peers, which come last because what stands behind a
// [[legacy_peer]] belongs to it.
func (s *Settings) peerTables(w *writer) {
	if s.standalone && len(s.peers) == 0 {
		return
	}
	links := s.links()
	if !s.standalone {
		example := "HOST:" + strconv.Itoa(s.peerPort)
		if len(links) > 0 {
			example = links[0].address
		}
		w.line("")
		w.comment("<Peers>. When one of them runs farmstate, remove its [[legacy_peer]], and name it here, above the first [[legacy_peer]]. " +
			"On another machine it needs the same peer_secret_file:")
		w.line("#   peer = [%s]", config.Quote(example))
	}
	if !s.standalone && len(links) == 0 {
		w.comment("The file lists no peer. Originals that list this server connect to it; name them here, so that their settings are known:")
		w.line("#   [[legacy_peer]]")
		w.line(`#   address = "HOST:%d"`, s.peerPort)
		if s.authenticate {
			w.line("#   authenticate = true")
			w.line("#   encrypt = %t", s.encrypt)
			w.line("#   password = the PeerPassword, in quotes")
		}
	}
	for _, p := range s.peers {
		s.legacyPeer(w, p)
	}
}

func (s *Settings) legacyPeer(w *writer, p peer) {
	key := strconv.Quote(short(p.key))
	w.line("")
	if p.leftOut != "" {
		w.comment("<Peers>, %s, line %d: %s %s; left out.", key, p.line, p.address, p.leftOut)
		return
	}
	w.comment("<Peers>, %s = %s, line %d.", key, strconv.Quote(short(p.value)), p.line)
	w.line("[[legacy_peer]]")
	w.line("address = %s", config.Quote(p.address))
	if !s.authenticate {
		w.line("authenticate = false")
		return
	}
	w.line("authenticate = true")
	w.line("encrypt = %t", s.encrypt)
	w.line("password = %s", config.Quote(s.password))
}
