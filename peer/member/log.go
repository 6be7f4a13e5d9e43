package member

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// noticeEvery is the least time between two log lines of a kind.
const noticeEvery = 10 * time.Second

// notices logs what others can cause at will: a line of each kind in ten seconds, and counts the rest.
type notices struct {
	logger *slog.Logger

	wrongSecret atomic.Int64 // what could not be decrypted, or belongs to another farm
	notAllowed  atomic.Int64

	mu   sync.Mutex
	last map[string]time.Time // by kind; there are few kinds. Guarded by mu
}

// due reports whether a line of a kind may be written now.
func (n *notices) due(kind string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if last, ok := n.last[kind]; ok && now.Sub(last) < noticeEvery {
		return false
	}
	n.last[kind] = now
	return true
}

// notSame is how memberlist says that what came is not of this farm.
var notSame = []string{
	"Decrypt packet failed", "unacceptable label", "no installed keys could decrypt", "remote state is not encrypted", "remote state is encrypted",
}

// Write implements io.Writer for memberlist's logger, which writes one line at a time.
func (n *notices) Write(line []byte) (int, error) {
	level, text := parseLine(string(line))
	switch {
	case strings.Contains(text, errProbe.Error()):
		n.logger.Debug("somebody has looked whether the gossip port is open", "event", "gossip", "detail", cut(text))
	case containsAny(text, notSame...):
		total := n.wrongSecret.Add(1)
		if n.due("gossip_wrong_secret") {
			n.logger.Warn("gossip from a node with another peer secret, or with none: it is not of this farm. If it should be, give both the same --peer-secret-file",
				"event", "gossip_wrong_secret", "addr", sender(text), "so_far", total)
		}
	case strings.Contains(text, "over TCP but UDP probes failed"):
		if n.due("gossip_no_udp") {
			n.logger.Warn("a member answers by TCP, but not by UDP: open the gossip port for both", "event", "gossip_no_udp", "detail", cut(text))
		}
	case containsAny(text, "Refuting a suspect message", "Refuting a dead message"):
		if n.due("member_refuted") {
			n.logger.Warn("others took this node for dead, and have been told that it lives: it is overloaded or was stopped for a while, or the network loses packets",
				"event", "member_refuted")
		}
	case containsAny(text, "has failed, no acks received"):
		if n.due("member_suspected") {
			n.logger.Info("a member does not answer; unless it does so soon it counts as dead", "event", "member_suspected", "detail", cut(text))
		}
	case level >= slog.LevelWarn:
		if n.due("gossip_trouble " + firstWords(text)) {
			n.logger.Warn("gossip has met with trouble; if it goes on, see to the node and the network that the detail names", "event", "gossip_trouble", "detail", cut(text))
		}
	default:
		n.logger.Log(context.Background(), slog.LevelDebug, "gossip", "event", "gossip", "detail", cut(text))
	}
	return len(line), nil
}

// refused notes that something came from an address that may not send gossip.
func (n *notices) refused(from string) {
	total := n.notAllowed.Add(1)
	if n.due("gossip_not_allowed") {
		n.logger.Warn("gossip from an address that is not allowed; if it is a node of this farm, add its network to peer_allow (or allow)",
			"event", "gossip_not_allowed", "addr", from, "so_far", total)
	}
}

// maxDetail is how much of a line of memberlist is passed on: some contain what others have sent.
const maxDetail = 200

// parseLine takes a line of memberlist's apart.
func parseLine(line string) (slog.Level, string) {
	level := slog.LevelDebug
	line = strings.TrimSpace(line)
	for prefix, l := range map[string]slog.Level{
		"[ERR] ": slog.LevelError, "[ERROR] ": slog.LevelError, "[WARN] ": slog.LevelWarn, "[INFO] ": slog.LevelInfo, "Err: ": slog.LevelError,
	} {
		if strings.HasPrefix(line, prefix) {
			level = l
		}
	}
	if _, rest, ok := strings.Cut(line, "] "); ok && line[0] == '[' {
		line = rest
	}
	line = strings.TrimPrefix(line, "memberlist: ")
	return level, strings.ToValidUTF8(line, "?")
}

// cut is so much of a line as is passed on.
func cut(text string) string { return text[:min(len(text), maxDetail)] }

// sender finds the address that memberlist puts at the end of its lines.
func sender(text string) string {
	i := strings.LastIndex(text, "from=")
	if i < 0 {
		return "unknown"
	}
	return cut(text[i+len("from="):])
}

// firstWords is what kind of trouble a line is about. What follows differs from line to line, so only words that memberlist itself has are kept.
func firstWords(text string) string {
	for _, kind := range []string{
		"Push/Pull with", "Failed to send", "Failed fallback TCP ping", "failed to receive", "handler queue full", "Conflicting address", "ignoring alive message",
		"Too many pending", "Failed to resolve", "Got ping for unexpected node",
	} {
		if strings.HasPrefix(text, kind) {
			return kind
		}
	}
	return ""
}

func containsAny(text string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func (n *notices) joined(s *Status) {
	n.logger.Info("a member is there", "event", "member_joined", "node", shortNode(s.Node), "name", s.Name, "peer", s.PeerAddr, "gossip", s.Gossip.String(), "program", s.Program)
}

func (n *notices) dead(s *Status) {
	n.logger.Warn("a member does not answer and counts as dead", "event", "member_dead", "node", shortNode(s.Node), "name", s.Name, "peer", s.PeerAddr, "gossip", s.Gossip.String())
}

func (n *notices) left(s *Status) {
	n.logger.Info("a member has left", "event", "member_left", "node", shortNode(s.Node), "name", s.Name, "peer", s.PeerAddr)
}

// ignored notes a member that says what we do not understand.
func (n *notices) ignored(addr string, err error) {
	if n.due("member_ignored") {
		n.logger.Warn("a node that gossips is not taken into the farm; the error says why", "event", "member_ignored", "addr", addr, "err", err)
	}
}
