package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/api"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/machine"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
)

func checkNode(p *Picture, f *findings) {
	if p.Down == "" {
		return
	}
	for _, t := range p.Ports {
		if t.Taken && strings.HasPrefix(t.Owner, "farmstate") {
			f.add(Problem, p.Admin, upperFirst(p.Down)+". But "+t.Addr+" ("+t.Option+") is held by "+t.Owner+".",
				"A node runs here; what it knows cannot be asked for, so only this machine is checked.",
				"give --admin the address of the node's option admin; its ready line has it, and `ss -ltnp` or `netstat -ano` shows its ports")
			return
		}
	}
	f.add(Warning, p.Admin, upperFirst(p.Down)+".",
		"If a node should run here, web servers that use it show errors for each page with a session. Only this machine and its configuration are checked.",
		"start it (`farmstate serve`, or its service), or give --admin the address of a node's option admin")
}

func checkToken(p *Picture, f *findings) {
	if !p.Whole {
		f.add(Note, p.Nodes[0].label(), "No token was given, or it is that of another node.",
			"Whether two nodes have the same secret cannot be compared, and sessions are told apart by the first characters of their ids.",
			"run this as the account that runs the node, or give --token-file the file of its option admin_token_file")
	}
}

func checkConfig(p *Picture, f *findings) {
	for _, problem := range p.Problems {
		f.add(Problem, "", problem, "A node with this configuration does not start.", "put it right; `farmstate config check FILE` says the same")
	}
	if p.Config == nil {
		return
	}
	for _, warning := range p.Config.Warnings {
		f.add(Warning, "", warning, "It is accepted, and should not stay as it is.")
	}
}

func checkPortOpen(p *Picture, f *findings) {
	for _, t := range p.Ports {
		if t.Err == "" {
			continue
		}
		what := t.Option + ": " + t.Err
		if t.Taken && t.Owner != "" {
			what = t.Option + ": " + t.Addr + " is taken by " + t.Owner + "."
		}
		do := []string{"stop what has the port, or choose another with --" + strings.ReplaceAll(t.Option, "_", "-")}
		switch {
		case t.Owner == "" && t.Taken:
			do = append([]string{ownerCommand(p.System, portOf(t.Addr))}, do...)
		case strings.Contains(strings.ToLower(t.Owner), "aspnet_state"):
			do = []string{"stop Microsoft's service: `sc stop aspnet_state` and `sc config aspnet_state start= disabled`"}
		case strings.HasPrefix(t.Owner, "farmstate"):
			do = []string{"if that is the node that is meant, give --admin the address of its admin pages"}
		}
		f.add(Problem, p.Name, what, "A node that is started here cannot open this port.", do...)
	}
	for _, n := range p.told() {
		if n.Facts.EventCounts["farm_off"] == 0 {
			continue
		}
		why := ""
		if e := n.latest("farm_off"); e != nil {
			why = " " + term.Clean(e.Attrs["err"])
		}
		f.add(Problem, n.label(), "Its peer port was taken when it started, so it runs without a farm."+why, "Sessions of other nodes are not found here, and nobody has copies of those that are here.",
			"free the port or choose another, and start the node again")
	}
}

// ownerCommand is how one finds out who has a port.
func ownerCommand(system string, port uint16) string {
	switch system {
	case "windows":
		return fmt.Sprintf("find out who has it: `netstat -ano | findstr :%d` shows a process id, and `tasklist /fi \"PID eq ID\"` its name", port)
	case "linux":
		return fmt.Sprintf("find out who has it (as root): `ss -ltnp sport = :%d`", port)
	}
	return fmt.Sprintf("find out who has it: `lsof -nP -iTCP:%d -sTCP:LISTEN`", port)
}

func checkPortReserved(p *Picture, f *findings) {
	if p.Down != "" {
		var ports []uint16
		for _, t := range p.Ports {
			ports = append(ports, portOf(t.Addr))
		}
		reserved(p.Name, p.System, p.Host, ports, f)
		return
	}
	done := map[string]bool{}
	for _, n := range p.told() {
		if n.Name != "" && done[n.Name] {
			continue // the ports of all nodes of a machine are told at once
		}
		done[n.Name] = true
		var ports []uint16
		for _, other := range p.told() {
			if other != n && (n.Name == "" || other.Name != n.Name) {
				continue
			}
			for _, l := range other.Facts.Listeners {
				if portOf(l.Configured) != 0 { // a node that takes free ports takes others next time
					ports = append(ports, portOf(l.Bound))
				}
			}
		}
		system, _, _ := strings.Cut(n.Facts.Host.System, "/")
		reserved(n.label(), system, n.Facts.Host, ports, f)
	}
}

// reserved tells which ports of a machine may be taken by chance.
func reserved(where, system string, host api.Host, ports []uint16, f *findings) {
	slices.Sort(ports)
	ports = slices.DeleteFunc(slices.Compact(ports), func(port uint16) bool { return port == 0 })
	if system == "windows" && len(ports) > 0 {
		var do []string
		for _, port := range ports {
			if port >= 49152 {
				do = append(do, fmt.Sprintf("`netsh int ipv4 add excludedportrange protocol=tcp startport=%d numberofports=1`", port))
			}
		}
		if len(do) > 0 {
			f.add(Note, where, "Windows takes the ports of outgoing connections from 49152 up unless it was told otherwise, and so may give away a port of the node while it is stopped.",
				"A node that is started again may find its port taken.", do...)
		}
		return
	}
	outgoing, ok := machine.ParsePortRange(host.OutgoingPorts)
	if !ok {
		return
	}
	var free []machine.PortRange
	for _, port := range ports {
		kept := slices.ContainsFunc(host.ReservedPorts, func(text string) bool {
			r, ok := machine.ParsePortRange(text)
			return ok && r.Contains(port)
		})
		if n := len(free); kept || !outgoing.Contains(port) {
			continue
		} else if n > 0 && free[n-1].Last+1 == port {
			free[n-1].Last = port
		} else {
			free = append(free, machine.PortRange{First: port, Last: port})
		}
	}
	if len(free) == 0 {
		return
	}
	var texts []string
	for _, r := range free {
		if text := r.String(); r.First != r.Last {
			texts = append(texts, text)
		} else {
			texts = append(texts, strconv.Itoa(int(r.First)))
		}
	}
	all := strings.Join(append(slices.Clone(host.ReservedPorts), texts...), ",")
	f.add(Note, where, fmt.Sprintf("This machine may take these ports for outgoing connections (%s), because they are not reserved: %s.", host.OutgoingPorts, strings.Join(texts, ", ")),
		"While the node is stopped any program may get such a port by chance; the node then does not start again.",
		"as root: `sysctl -w net.ipv4.ip_local_reserved_ports="+all+"`",
		"to keep that over a restart put `net.ipv4.ip_local_reserved_ports = "+all+"` into a file in /etc/sysctl.d")
}

func checkDescriptors(p *Picture, f *findings) {
	for _, n := range p.live() {
		if events := n.lately("accept_failed", hour); len(events) > 0 {
			f.add(Problem, n.label(), fmt.Sprintf("A connection could not be accepted %s: %s. The process has %d of %d files open.", n.ago(events[len(events)-1].Time),
				term.Clean(events[len(events)-1].Attrs["err"]), n.Node.Status.Process.OpenFiles, n.Node.Status.Process.MaxFiles),
				"The pages of such connections show errors.", "raise the limit on open files, in a systemd unit with `LimitNOFILE=32768`, or in a shell with `ulimit -n 32768`, and start the node again")
		}
		wanted, err := strconv.ParseInt(n.setting("max_connections"), 10, 64)
		limit, most := n.Node.Status.Process.MaxFiles, n.Node.Status.Connections.Max
		if err != nil || most >= wanted {
			continue
		}
		s, do := Note, "raise the limit on open files, in a systemd unit with `LimitNOFILE=32768`, or in a shell with `ulimit -n 32768`, and start the node again"
		if n.Node.Status.Connections.Open*2 > most || most < 500 {
			s = Warning
		}
		f.add(s, n.label(), fmt.Sprintf("The process may open %d files, which leaves room for %d connections; max_connections is %d. %d are open.",
			limit, most, wanted, n.Node.Status.Connections.Open),
			"A web server holds a connection for each request that talks to the node at that moment. One too many is closed at once, and its page shows an error.", do)
	}
}

func checkConnections(p *Picture, f *findings) {
	for _, n := range p.live() {
		c := n.Node.Status.Connections
		if events := n.lately("too_many_connections", hour); len(events) > 0 {
			f.add(Problem, n.label(), fmt.Sprintf("Connections were turned away because there were %d already, the last one %s.", c.Max, n.ago(events[len(events)-1].Time)),
				"The pages of those connections showed an error.", "raise max_connections and, if that is what bounds it, the limit on open files",
				"look for pages that hang on the web servers with the most connections: "+n.busiest())
			continue
		}
		if c.Max > 0 && c.Open*10 >= c.Max*8 {
			f.add(Warning, n.label(), fmt.Sprintf("%d of %d connections are open.", c.Open, c.Max), "When all are, pages show errors.", "raise max_connections",
				"look for pages that hang on the web servers with the most connections: "+n.busiest())
		}
	}
}

// busiest names the web servers with the most connections.
func (n *Node) busiest() string {
	if n.Facts == nil {
		return "they are not known here"
	}
	clients := slices.Clone(n.Facts.Clients)
	slices.SortStableFunc(clients, func(a, b api.Client) int { return cmp.Compare(b.Connections, a.Connections) })
	var names []string
	for _, c := range clients[:min(len(clients), 3)] {
		names = append(names, fmt.Sprintf("%s (%d)", c.Addr, c.Connections))
	}
	return list(names)
}

func checkMemoryLimit(p *Picture, f *findings) {
	const gib = int64(1) << 30
	shared := map[string][]*Node{}
	for _, n := range p.told() {
		limit, total, gogc := n.Node.Status.Sessions.MaxMemory, n.Facts.Host.MemoryLimit, n.Facts.Host.GoMemoryLimit
		shared[n.Name] = append(shared[n.Name], n)
		if limit == 0 {
			f.add(Warning, n.label(), "Sessions may take any amount of memory: the memory of the machine is not known, and max_memory is not set.",
				"When memory is used up, the machine swaps or ends the node, and all its sessions are gone at once.", "set max_memory, for example to three quarters of the machine's memory")
			continue
		}
		if need := limit + min(limit, gib); total > 0 && need > total {
			s := Warning
			if n.setting("max_memory") == "auto" {
				s = Note
			}
			f.add(s, n.label(), fmt.Sprintf("Sessions may take %s, with which the process takes up to %s; the machine, or the control group of the node, has %s.",
				term.Bytes(limit), term.Bytes(need), term.Bytes(total)),
				"Before the node refuses new sessions, the system may run out of memory and end it.", "lower max_memory to "+term.Bytes(max(total-gib, total/2))+", or give the machine more memory")
		}
		if gogc > 0 && gogc < limit+limit/10 {
			f.add(Warning, n.label(), fmt.Sprintf("GOMEMLIMIT is %s, and sessions may take %s.", term.Bytes(gogc), term.Bytes(limit)),
				"When sessions come near to GOMEMLIMIT, memory is collected all the time, and all requests become slow.", "take GOMEMLIMIT out, or set it above max_memory by a tenth at least")
		}
	}
	for name, nodes := range shared {
		sum, total, labels := int64(0), int64(0), []string{}
		for _, n := range nodes {
			sum += n.Node.Status.Sessions.MaxMemory
			total = max(total, n.Facts.Host.MemoryLimit)
			labels = append(labels, n.label())
		}
		if len(nodes) > 1 && total > 0 && sum > total && name != "" {
			f.add(Note, list(labels), fmt.Sprintf("Together the sessions of these nodes may take %s, and their machine has %s.", term.Bytes(sum), term.Bytes(total)),
				"Each of them reckons with the machine for itself alone.", "set max_memory of each to its share")
		}
	}
}

func checkMemoryFull(p *Picture, f *findings) {
	for _, n := range p.live() {
		s := n.Node.Status.Sessions
		refused := int64(0)
		for _, outcomes := range n.Node.Status.Operations {
			refused += outcomes["refused"]
		}
		events := n.lately("save_refused", hour)
		what := fmt.Sprintf("Sessions take %s of %s.", term.Bytes(s.Bytes), term.Bytes(s.MaxMemory))
		do := []string{"raise max_memory if the machine has more, or shorten the session timeout of the applications", "see which applications and sessions are large: http://" + n.Admin + "/"}
		switch {
		case len(events) > 0:
			f.add(Problem, n.label(), fmt.Sprintf("%s %s refused for want of memory since the start, the last one %s.", what, term.Plural(refused, "save was", "saves were"), n.ago(events[len(events)-1].Time)),
				"The users saw an error, and what they had done was not kept.", do...)
		case s.MaxMemory > 0 && s.Bytes >= s.MaxMemory/100*85:
			f.add(Warning, n.label(), what, "At the limit new sessions are refused, and their users see an error. No session is thrown away.", do...)
		case refused > 0:
			f.add(Note, n.label(), fmt.Sprintf("%s %s refused since the start, none in the last hour.", what, term.Plural(refused, "save was", "saves were")), "The users saw an error.", do...)
		}
	}
}

func checkSwap(p *Picture, f *findings) {
	for _, n := range p.told() {
		if h := n.Facts.Host; h.Swapped >= 16<<20 {
			f.add(Warning, n.label(), fmt.Sprintf("%s of the node are swapped out; %s of %s of swap are free.", term.Bytes(h.Swapped), term.Bytes(h.SwapFree), term.Bytes(h.SwapTotal)),
				"Whoever asks for what is swapped out waits for the disk, and so does every collection of memory: all requests become slow, and others may take the node for dead.",
				"find out what takes the memory (`top`), lower max_memory, or keep the node out of swap, in a systemd unit with `MemorySwapMax=0`")
		}
	}
}
