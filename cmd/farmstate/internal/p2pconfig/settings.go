package p2pconfig

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
)

// The settings of the original.
const (
	webserverPort       = "WebserverPort"
	peerPort            = "PeerPort"
	maxForwards         = "MaxForwards"
	networkQueryTimeout = "NetworkQueryTimeout"
	authenticatePeers   = "AuthenticatePeers"
	encryptPeerData     = "EncryptPeerData"
	standaloneMode      = "StandaloneMode"
	peerPassword        = "PeerPassword"
)

var settingNames = []string{
	webserverPort, peerPort, maxForwards, networkQueryTimeout, authenticatePeers, encryptPeerData, standaloneMode, peerPassword,
}

// Settings is a configuration of the original.
type Settings struct {
	// Notes are what the file has beside the settings, and what is left out,
	// each on one line.
	Notes []string

	name    string           // of the file
	given   map[string]entry // by setting; those that the file has
	unknown []entry          // settings that the original does not have
	peers   []peer

	webserverPort, peerPort int
	forwards                int // as the file has it
	timeout                 time.Duration
	authenticate, encrypt   bool // as the file has them
	standalone              bool
	password                string
}

// peer is one of <Peers>.
type peer struct {
	entry
	address string
	leftOut string // why; empty if it is not
}

// Read reads the configuration of an original; name is for messages. The error
// is a [config.Problems], everything that is wrong with the file.
func Read(name string, data []byte) (*Settings, error) {
	d := readDocument(name, data)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	s := &Settings{name: name, given: make(map[string]entry)}
	s.sort(d)
	if len(s.given) == 0 && d.peers.line == 0 {
		return nil, config.Problems{{Where: name, What: "has no setting of a peer-to-peer state server (" + strings.Join(settingNames, ", ") +
			"); name its own configuration, such as ConsoleServer.exe.config"}}
	}
	s.values(d)
	s.readPeers(d)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	s.Notes = d.notes
	return s, nil
}

// sort tells the settings that the original has from others.
func (s *Settings) sort(d *document) {
	for _, e := range d.appSettings.all() {
		i := slices.IndexFunc(settingNames, func(name string) bool { return strings.EqualFold(name, e.key) })
		if i < 0 {
			s.unknown = append(s.unknown, e)
			continue
		}
		s.given[settingNames[i]] = e
	}
}

// values reads what the file says, and takes what the original is delivered
// with for what it does not say.
func (s *Settings) values(d *document) {
	s.webserverPort = s.integer(d, webserverPort, 42424, 1, math.MaxUint16)
	s.peerPort = s.integer(d, peerPort, 42425, 1, math.MaxUint16)
	s.forwards = s.integer(d, maxForwards, 5, math.MinInt32, math.MaxInt32)
	s.timeout = s.seconds(d, networkQueryTimeout, 2500*time.Millisecond)
	s.authenticate = s.boolean(d, authenticatePeers)
	s.encrypt = s.boolean(d, encryptPeerData)
	s.standalone = s.boolean(d, standaloneMode)
	e, ok := s.given[peerPassword]
	s.password = e.value
	switch {
	case !ok && s.authenticate:
		d.problem(s.given[authenticatePeers].line, authenticatePeers, "is true, but the file has no PeerPassword")
	case ok && s.password == "":
		d.problem(e.line, peerPassword, "is empty, which the original does not accept")
	case len(s.password) > config.MaxPassword:
		d.problem(e.line, peerPassword, "is longer than %d bytes", config.MaxPassword)
	}
	if s.webserverPort == s.peerPort && !s.standalone {
		d.problem(s.given[webserverPort].line, webserverPort, "%d is the number of PeerPort too", s.webserverPort)
	}
}

// integer reads a whole number as .NET does.
func (s *Settings) integer(d *document, name string, otherwise, lo, hi int) int {
	e, ok := s.given[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(strings.TrimSpace(e.value))
	if err != nil || n < lo || n > hi {
		d.problem(e.line, name, "%s is not accepted; accepted: a whole number from %d to %d", strconv.Quote(short(e.value)), lo, hi)
	}
	return n
}

func (s *Settings) boolean(d *document, name string) bool {
	e, ok := s.given[name]
	if !ok {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(e.value)) {
	case "true":
		return true
	case "false":
		return false
	}
	d.problem(e.line, name, "%s is not accepted; accepted: true, false", strconv.Quote(short(e.value)))
	return false
}

// maxSeconds bounds what is taken for a duration at all.
const maxSeconds = 1 << 20

// seconds reads a number of seconds. In which countries a comma is accepted,
// and what it means there, the file does not say.
func (s *Settings) seconds(d *document, name string, otherwise time.Duration) time.Duration {
	e, ok := s.given[name]
	if !ok {
		return otherwise
	}
	text := strings.TrimSpace(e.value)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789+-.eE") != "" || math.Abs(n) > maxSeconds {
		d.problem(e.line, name, "%s is not accepted; accepted: a number of seconds up to %d, with a point if it is not whole, such as 2.5", strconv.Quote(short(e.value)), maxSeconds)
		return otherwise
	}
	return time.Duration(n*1000) * time.Millisecond
}

// readPeers reads <Peers>. A peer without a port has that of this server.
func (s *Settings) readPeers(d *document) {
	seen := make(map[string]string)
	for _, e := range d.peers.all() {
		host, port, _ := strings.Cut(e.value, ":")
		host, port = strings.TrimSpace(host), strings.TrimSpace(port)
		if strings.Contains(port, ":") {
			d.problem(e.line, "Peers", "%s is not accepted; accepted: HOST or HOST:PORT, with a name or an IPv4 address", strconv.Quote(short(e.value)))
			continue
		}
		if !strings.Contains(e.value, ":") {
			port = strconv.Itoa(s.peerPort)
		}
		p := peer{entry: e, address: net.JoinHostPort(host, port)}
		if err := config.CheckOriginal(p.address); err != nil {
			d.problem(e.line, "Peers", "%s", err)
			continue
		}
		first, again := seen[strings.ToLower(p.address)]
		switch {
		case s.standalone:
			p.leftOut = "is not used in standalone mode"
		case s.isOwn(host, port):
			p.leftOut = "is this server itself"
		case again:
			p.leftOut = "is there already, as " + first
		default:
			seen[strings.ToLower(p.address)] = strconv.Quote(short(e.key))
		}
		s.peers = append(s.peers, p)
	}
}

// isOwn reports whether a peer is this server.
func (s *Settings) isOwn(host, port string) bool {
	n, err := strconv.Atoi(port)
	own := strings.EqualFold(host, "localhost")
	if ip := net.ParseIP(host); ip != nil {
		own = ip.IsLoopback()
	}
	return own && err == nil && n == s.peerPort
}

// links are the peers that the node keeps links to.
func (s *Settings) links() (links []peer) {
	for _, p := range s.peers {
		if p.leftOut == "" {
			links = append(links, p)
		}
	}
	return links
}

// from says where a setting stands.
func (s *Settings) from(name string) string {
	e, ok := s.given[name]
	if !ok {
		return name + " is not in the file"
	}
	if name == peerPassword {
		return fmt.Sprintf("%s, line %d", name, e.line)
	}
	return fmt.Sprintf("%s = %s, line %d", name, strconv.Quote(short(e.value)), e.line)
}
