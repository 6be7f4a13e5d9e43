package doctor

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

func checkReady(p *Picture, f *findings) {
	for _, n := range p.live() {
		var why, do []string
		for _, reason := range n.Node.Status.NotReady {
			if !strings.HasPrefix(reason, "copies:") { // checkCopies and checkRepair
				why = append(why, term.Clean(reason))
				do = append(do, readyDo(reason, n))
			}
		}
		if len(why) > 0 {
			f.add(Note, n.label(), "It is not ready: "+strings.Join(why, "; ")+".", "Balancers that ask /readyz turn away from it.",
				do...)
		}
	}
}

// readyDo says what to do about a reason why a node is not ready, such as "draining: ...".
func readyDo(reason string, n *Node) string {
	name, _, _ := strings.Cut(reason, ":")
	switch name {
	case "draining":
		return "nothing, if somebody wants it so; `farmstate drain --stop --admin " + n.Admin + "` takes the drain back"
	case "stopping":
		return "nothing: it ends when its sessions are with others"
	case "joining":
		return "wait some seconds; if it stays so, start one of the nodes of its join, or put join right"
	}
	return "see its /readyz: http://" + n.Admin + "/readyz"
}

func checkOriginals(p *Picture, f *findings) {
	for _, n := range p.live() {
		down := 0
		for _, o := range n.Node.Farm.Originals {
			if !o.Live {
				down++
				f.add(Warning, n.label(), fmt.Sprintf("The original at %s is not linked: %s.", o.Addr, cmp.Or(term.Clean(o.LastError), "no reason is known")),
					"Sessions that are there are not found here.", "compare its settings with those of its [[legacy_peer]]; see its event log")
			}
		}
		if live := len(n.Node.Farm.Originals) - down; live > 0 {
			f.add(Note, n.label(), fmt.Sprintf("%s linked.", term.Plural(live, "original peer-to-peer state server is", "original peer-to-peer state servers are")),
				"Originals do not say that they lack a session, so that each new session waits for query_timeout ("+cmp.Or(n.setting("query_timeout"), "2.5s")+
					"); and a session that passes through one loses its lock, its lock's cookie and its age.",
				"replace them by farmstate, and take out [[legacy_peer]]")
		}
	}
}

func checkLogLevel(p *Picture, f *findings) {
	for _, n := range p.live() {
		if n.Node.Status.LogLevel == "debug" {
			f.add(Note, n.label(), "The log shows details (debug).", "That costs processor time and disk with each request.",
				"set it back: `farmstate log-level info --admin "+n.Admin+"`, or on the dashboard: http://"+n.Admin+"/", "if it comes again with the next start: `log_level = \"info\"` in the configuration")
		}
	}
}

func checkLost(p *Picture, f *findings) {
	for _, n := range p.told() {
		if lost := n.Facts.Lost.Notices; lost > 0 {
			f.add(Note, n.label(), fmt.Sprintf("%s of sessions were not logged, because too many came at once.", term.Plural(lost, "event", "events")),
				"Near misses, locks left behind and refused saves are counted all the same.", "see the other findings: something happens very often")
		}
		if n.Facts.EventCounts["log_dropped"] > 0 {
			f.add(Note, n.label(), "Lines of the log were dropped, because standard error is read too slowly.", "The log has gaps.", "see what takes the log: a pipe that nobody reads, a full disk")
		}
		if n.Facts.EventCounts["fault"]+n.Facts.EventCounts["farm_fault"] > 0 {
			f.add(Warning, n.label(), "Faults of farmstate itself have been survived.", "A connection, or what one question was about, was lost.", "report them with the stack in the log (events fault and farm_fault)")
		}
	}
}
