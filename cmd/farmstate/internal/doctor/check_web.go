package doctor

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/term"
	"github.com/farmstate/farmstate/cmd/farmstate/internal/webconfig"
	"github.com/farmstate/farmstate/engine/appkey"
)

// webLine is the web.config line that uses a state server.
const webLine = `<sessionState mode="StateServer" stateConnectionString="tcpip=127.0.0.1:42424" />`

// at names a line of a file.
func at(w *webconfig.File, line int) string {
	if line == 0 {
		return w.Name
	}
	return w.Name + ":" + strconv.Itoa(line)
}

// in says for which part of an application a scope is.
func in(s *webconfig.Scope) string {
	if s.Path == "" {
		return ""
	}
	return "Below " + s.Path + ": "
}

// sessions calls do for each <sessionState> that can be judged.
func (p *Picture) sessions(do func(*webconfig.File, *webconfig.Scope, *webconfig.Section)) {
	for _, w := range p.Web {
		for _, s := range w.Scopes {
			if s.Session != nil && s.Session.Source == "" && !s.Session.Hidden {
				do(w, s, s.Session)
			}
		}
	}
}

// onStateServer is sessions for those with mode StateServer.
func (p *Picture) onStateServer(do func(*webconfig.File, *webconfig.Scope, *webconfig.Section)) {
	p.sessions(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		if x.Get("mode", "InProc") == "StateServer" {
			do(w, s, x)
		}
	})
}

func checkWebFile(p *Picture, f *findings) {
	for i := range p.WebBad {
		bad := &p.WebBad[i]
		where := bad.Name
		if bad.Line > 0 {
			where += ":" + strconv.Itoa(bad.Line)
		}
		f.add(Problem, where, "The file "+bad.Text+".", "Nothing of it was checked.", "put it right, or name the right file")
	}
	for _, w := range p.Web {
		for _, note := range w.Notes {
			f.add(Note, at(w, note.Line), upperFirst(note.Text)+".", "")
		}
	}
}

func checkWebMode(p *Picture, f *findings) {
	for _, w := range p.Web {
		if w.Scopes[0].Session == nil {
			f.add(Problem, w.Name, "There is no <sessionState> in <system.web>, so the mode is InProc, unless a web.config above or machine.config says otherwise.",
				"Sessions are kept in the application's own process: they are lost when it is recycled, and other web servers do not have them.", "write into <system.web>: `"+webLine+"`")
		}
	}
	p.sessions(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		where := at(w, x.Line)
		use := "write `" + webLine + "`"
		switch mode := x.Get("mode", "InProc"); mode {
		case "StateServer":
		case "InProc":
			f.add(Problem, where, in(s)+"mode is InProc.", "Sessions are kept in the application's own process: they are lost when it is recycled, and other web servers do not have them.", use)
		case "SQLServer":
			f.add(Problem, where, in(s)+"mode is SQLServer.", "Sessions are kept in a database; farmstate is not used.", use)
		case "Custom":
			f.add(Warning, where, in(s)+"mode is Custom, with the provider "+quoted(x.Get("customProvider", ""))+".", "That provider keeps the sessions; farmstate is not used.", use+", and take out <providers>")
		case "Off":
			f.add(Note, where, in(s)+"mode is Off.", "Pages there have no session.")
		default:
			text := "is not known; ASP.NET refuses the file"
			modes := []string{"StateServer", "InProc", "SQLServer", "Custom", "Off"}
			if i := slices.IndexFunc(modes, func(known string) bool { return strings.EqualFold(known, mode) }); i >= 0 {
				text += ": it is spelt " + modes[i]
			}
			f.add(Problem, where, in(s)+"mode "+quoted(mode)+" "+text+".", "The application does not start.", use)
		}
	})
}

func quoted(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return strconv.Quote(text)
}

func checkWebConnection(p *Picture, f *findings) {
	p.onStateServer(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		where, text := at(w, x.Line), x.Get("stateConnectionString", webconfig.DefaultConnection)
		if x.Has("partitionResolverType") {
			return // checkWebLeftovers
		}
		host, port, err := webconfig.Connection(text)
		if err != nil {
			f.add(Problem, where, in(s)+"stateConnectionString is "+quoted(text)+"; "+err.Error()+".", "The application does not start, or each page with a session shows an error.", "write `stateConnectionString=\"tcpip=127.0.0.1:42424\"`")
			return
		}
		if !x.Has("stateConnectionString") {
			f.add(Note, where, in(s)+"there is no stateConnectionString; ASP.NET takes "+webconfig.DefaultConnection+", a state server on the web server itself.", "That is right if a node runs on each web server.")
		}
		p.connection(where, in(s), host, port, f)
	})
}

// connection judges where a connection string leads.
func (p *Picture) connection(where, scope, host string, port int, f *findings) {
	local := isLocalHost(host)
	to := net.JoinHostPort(host, strconv.Itoa(port))
	type target struct{ label, bound string }
	var nodes []target
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.State != "" {
			nodes = append(nodes, target{n.label(), n.State})
		}
	}
	if len(nodes) == 0 && p.Config != nil {
		nodes = append(nodes, target{"the configuration", p.Config.Listen})
	}
	if len(nodes) == 0 {
		return
	}
	var ports, samePort []string
	lonely := true
	for _, n := range nodes {
		ports = append(ports, n.bound+" ("+n.label+")")
		if int(portOf(n.bound)) == port {
			samePort = append(samePort, n.label)
			lonely = lonely && isLoopback(n.bound)
		}
	}
	switch {
	case len(samePort) == 0:
		f.add(Problem, where, upperFirst(fmt.Sprintf("%sthe connection string leads to %s, and no node takes web servers on port %d: %s.", scope, to, port, list(ports))),
			"Each page with a session shows an error.", "put the port right, here or in listen")
	case !local && lonely:
		f.add(Problem, where, upperFirst(fmt.Sprintf("%sthe connection string leads to %s, and nothing but their own machines can connect to %s.", scope, to, list(ports))),
			"Unless the host name is that of the web server itself and leads to a loopback address, each page with a session shows an error.",
			"with a node on each web server write `tcpip=127.0.0.1:"+strconv.Itoa(port)+"`", "otherwise give listen an address that the web servers reach, and allow their addresses")
	case !local && p.unknown(host):
		f.add(Warning, where, upperFirst(fmt.Sprintf("%sthe connection string leads to %s, a host name that is not known on this machine.", scope, to)), "If the web servers do not know it either, each page with a session shows an error.",
			"write the address of the node in its place, or put the name right")
	case !local && p.foreign(host):
		f.add(Warning, where, upperFirst(fmt.Sprintf("%sthe connection string leads to %s, which is the address of no node that is known here: %s.", scope, to, list(ports))),
			"If no balancer and no other state server is there, each page with a session shows an error.", "put the host right, or name a node")
	case local && p.machines() > 0 && !slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Name == p.Name }) && p.Down == "":
		f.add(Note, where, upperFirst(scope+"the connection string leads to the web server itself, and this machine ("+p.Name+") has no node of the farm."), "Each web server needs a node of its own then.",
			"run a node on each web server, or name the host of one")
	}
}

func isLocalHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || strings.EqualFold(host, "loopback") || err == nil && ip.Unmap().IsLoopback()
}

// unknown reports whether a host name was looked up in vain.
func (p *Picture) unknown(host string) bool {
	found, ok := p.Resolved[host]
	return ok && len(found) == 0
}

// foreign reports whether a host is known to be that of no node.
func (p *Picture) foreign(host string) bool {
	var addrs []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{ip}
	} else if found, ok := p.Resolved[host]; ok {
		addrs = found
	}
	known, sure := map[netip.Addr]bool{}, false
	note := func(addr string) {
		if ip, err := netip.ParseAddr(hostOf(addr)); err == nil && !ip.IsUnspecified() && !ip.IsLoopback() {
			known[ip.Unmap()], sure = true, true
		}
	}
	short, _, _ := strings.Cut(host, ".")
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Name != "" && strings.EqualFold(n.Name, short) {
			return false
		}
		for _, addr := range []string{n.Admin, n.State, n.Peer} {
			note(addr)
		}
		if n.Node != nil {
			for _, l := range n.Node.Farm.Links {
				note(l.Addr)
			}
		}
	}
	return sure && !slices.ContainsFunc(addrs, func(ip netip.Addr) bool { return ip.IsLoopback() || known[ip.Unmap()] })
}

// span is a setting that is a duration, as the first node has it, or the configuration.
func (p *Picture) span(name string, configured func() time.Duration, otherwise time.Duration) time.Duration {
	for _, n := range p.told() {
		return n.span(name, otherwise)
	}
	if p.Config != nil {
		return configured()
	}
	return otherwise
}

func checkWebNetworkTimeout(p *Picture, f *findings) {
	query := p.span("query_timeout", func() time.Duration { return p.Config.QueryTimeout }, 2500*time.Millisecond)
	lock := p.span("lock_wait", func() time.Duration { return p.Config.LockWait }, 700*time.Millisecond)
	p.onStateServer(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		text := x.Get("stateNetworkTimeout", "10")
		d, finite, err := webconfig.Duration(text, time.Second)
		where := at(w, x.Line)
		switch {
		case err != nil:
			f.add(Problem, where, in(s)+"stateNetworkTimeout "+quoted(text)+" is no number of seconds.", "ASP.NET refuses the file.", "write seconds, such as `stateNetworkTimeout=\"10\"`")
		case !finite:
		case d <= query+lock:
			f.add(Problem, where, fmt.Sprintf("%sstateNetworkTimeout is %s, and the node may take %s for a search in the farm (query_timeout) and %s for a lock (lock_wait).", in(s), d, query, lock),
				"When that happens the web server gives up first, and the page shows an error instead of waiting.", fmt.Sprintf("set stateNetworkTimeout to %d or more, or lower query_timeout", int((3*query).Seconds())+1))
		case query*3 > d:
			f.add(Warning, where, fmt.Sprintf("%sstateNetworkTimeout is %s, which leaves little room beside query_timeout (%s).", in(s), d, query),
				"A busy machine or network may make pages fail that only had to wait.", fmt.Sprintf("set stateNetworkTimeout to %d or more, or lower query_timeout to a third of it", int((3*query).Seconds())+1))
		}
	})
}

func checkWebTimeout(p *Picture, f *findings) {
	p.sessions(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		text := x.Get("timeout", "20")
		d, finite, err := webconfig.Duration(text, time.Minute)
		where := at(w, x.Line)
		switch {
		case err != nil || finite && (d < time.Minute || d > 525600*time.Minute):
			f.add(Problem, where, in(s)+"timeout "+quoted(text)+" is no number of minutes from 1 to 525600 (a year).", "ASP.NET refuses the file.", "write minutes, such as `timeout=\"20\"`")
		case !finite || d > 24*time.Hour:
			f.add(Note, where, in(s)+"timeout is "+quoted(text)+" minutes.", "Sessions that live for long take memory for long.", "see how much memory they take on the dashboard")
		case d < 5*time.Minute:
			f.add(Note, where, in(s)+"timeout is "+quoted(text)+" minutes; the default is 20.", "Whoever reads a long page loses the session meanwhile. Is it meant as seconds or hours?")
		}
	})
}

func checkWebCookie(p *Picture, f *findings) {
	p.sessions(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		where := at(w, x.Line)
		switch mode := x.Get("cookieless", "UseCookies"); strings.ToLower(mode) {
		case "usecookies", "false":
		case "useuri", "true":
			f.add(Warning, where, in(s)+"cookieless is "+quoted(mode)+": the session id stands in the address of each page.", "A link without it begins a new session, and whoever gets such a link gets the session.", `write cookieless="UseCookies"`)
		default:
			f.add(Warning, where, in(s)+"cookieless is "+quoted(mode)+": for some browsers the session id stands in the address of each page.",
				"What ASP.NET takes for a browser without cookies (new browsers, robots) gets sessions that get lost with the next plain link.", `write cookieless="UseCookies"`)
		}
		if strings.EqualFold(x.Get("cookieSameSite", ""), "Strict") {
			f.add(Note, where, in(s)+"cookieSameSite is Strict.", "Whoever comes by a link from another site, or back from a payment page, has no session on that page.", `write cookieSameSite="Lax" unless that is meant`)
		}
	})
	for _, w := range p.Web {
		for _, s := range w.Scopes {
			if strings.EqualFold(s.Cookies.Get("requireSSL", ""), "true") {
				f.add(Note, at(w, s.Cookies.At()), in(s)+"cookies are for https alone (requireSSL).", "That is good, but pages over http have no session, and each request makes a new one.", "lead http to https everywhere; if a balancer ends https, the application has to be told")
			}
			if domain := s.Cookies.Get("domain", ""); domain != "" {
				f.add(Note, at(w, s.Cookies.At()), in(s)+"cookies are for the domain "+quoted(domain)+".", "Under any other host name, such as a plain machine name or an address, no session lasts longer than a page.")
			}
		}
	}
}

func checkWebLeftovers(p *Picture, f *findings) {
	p.onStateServer(func(w *webconfig.File, s *webconfig.Scope, x *webconfig.Section) {
		where := at(w, x.Line)
		if x.Has("partitionResolverType") {
			f.add(Warning, where, in(s)+"partitionResolverType "+quoted(x.Get("partitionResolverType", ""))+" chooses a state server for each session.",
				"With a farm that is not needed: each node finds each session. When one of those servers is down, a part of all users have errors.",
				"take it out, and write a stateConnectionString; where there are other state servers behind, `farmstate relay` with several targets does the same and goes around those that are down")
		}
		for _, name := range []string{"sqlConnectionString", "customProvider", "allowCustomSqlDatabase"} {
			if x.Has(name) {
				f.add(Note, where, in(s)+name+" has no effect with mode=\"StateServer\".", "", "take it out; what it held before may be a password")
			}
		}
		if strings.EqualFold(x.Get("compressionEnabled", ""), "true") {
			f.add(Note, where, in(s)+"compressionEnabled is true.", "The web servers compress each session: that costs them processor time and saves memory here. The sizes that nodes show are those of compressed sessions.")
		}
	})
}

func checkWebExecution(p *Picture, f *findings) {
	stale := p.span("stale_lock", func() time.Duration { return p.Config.StaleLock }, 2*time.Minute)
	for _, w := range p.Web {
		for _, s := range w.Scopes {
			if strings.EqualFold(s.Compile.Get("debug", ""), "true") {
				f.add(Warning, at(w, s.Compile.At()), in(s)+"compilation debug is true.", "ASP.NET then ends no page that hangs, however long it holds the lock of its session; and all pages are slower.", `write debug="false" where users work`)
			}
			if !s.Runtime.Has("executionTimeout") {
				continue
			}
			text := s.Runtime.Get("executionTimeout", "110")
			d, finite, err := webconfig.Duration(text, time.Second)
			where := at(w, s.Runtime.At())
			switch {
			case err != nil:
				f.add(Problem, where, in(s)+"executionTimeout "+quoted(text)+" is no number of seconds.", "ASP.NET refuses the file.", "write seconds, such as `executionTimeout=\"110\"`")
			case stale > 0 && (!finite || d >= stale):
				f.add(Note, where, fmt.Sprintf("%sexecutionTimeout is %s seconds, and a lock counts as left behind after %s (stale_lock).", in(s), text, term.Seconds(stale.Seconds())),
					"Pages that take their time rightly are listed as locks left behind; and a page that hangs keeps its user waiting for that long.", "raise stale_lock above it, or lower executionTimeout and give slow pages their own in <location>")
			}
		}
	}
}

// webFarm reports whether the applications run on more than one web server, as far as that is known.
func (p *Picture) webFarm() bool {
	clients := map[string]bool{}
	for _, n := range p.told() {
		for _, c := range n.Facts.Clients {
			if c.Refused == 0 && !isLoopback(net.JoinHostPort(c.Addr, "1")) {
				clients[c.Addr] = true
			}
		}
	}
	return len(p.Nodes) > 1 || len(p.Web) > 1 || len(clients) > 1
}

// keysDiffer says what it means, and how much it matters, that web servers have different validation keys. Log-in and view state are lost with any .NET; the session only
// before .NET 4.5.2, where its name depends on the key (docs/protocol.md §3.8). The names of the sessions that are here tell whether it does.
func (p *Picture) keysDiffer() (Severity, string) {
	for _, n := range p.live() {
		for i := range n.Node.Survey.Apps {
			if app := &n.Node.Survey.Apps[i]; appkey.KindOf([]byte(app.Hash)) == appkey.HashKeyed {
				return Problem, "a user who comes to another web server has lost the session, the log-in and each form that was begun; the names of the sessions of " + quoted(app.App) +
					" depend on the key, as with a .NET before 4.5.2."
			}
		}
	}
	return Warning, logInLost + " With a .NET before 4.5.2, where the name of a session depends on the key, the session is lost, too."
}

const (
	oneApplication = "If these files are of one application: "
	logInLost      = "a user who comes to another web server has lost the log-in and each form that was begun (view state)."
)

func checkWebMachineKey(p *Picture, f *findings) {
	s, means := Note, "With one web server that is well. With a second, each makes keys of its own."
	if p.webFarm() {
		s, means = p.keysDiffer()
		means = "Each web server makes keys of its own: " + means
	}
	do := []string{"write one <machineKey> with the same validationKey and decryptionKey into the web.config of all web servers (IIS Manager, Machine Key, Generate Keys)"}
	for _, w := range p.Web {
		key := w.Scopes[0].MachineKey
		switch {
		case key == nil:
			f.add(s, w.Name, "There is no <machineKey>, so the keys are generated, unless a web.config above or machine.config has one.", means, do...)
			continue
		case key.Source != "" || key.Hidden:
			continue
		}
		where := at(w, key.Line)
		var made []string
		for _, k := range []struct {
			name     string
			key      webconfig.Key
			min, max int
		}{{"validationKey", key.Validation, 20, 64}, {"decryptionKey", key.Decryption, 8, 32}} {
			switch {
			case !k.key.Set || k.key.Auto:
				made = append(made, k.name)
			case k.key.BadDigit:
				f.add(Problem, where, k.name+" is not hexadecimal.", "ASP.NET refuses the file.", do...)
			case k.key.Bytes < k.min || k.key.Bytes > k.max:
				f.add(Warning, where, fmt.Sprintf("%s has %d bytes; %d to %d are accepted.", k.name, k.key.Bytes, k.min, k.max), "ASP.NET refuses it.", do...)
			}
		}
		if len(made) > 0 {
			f.add(s, where, "Generated by each machine (AutoGenerate, or not set): "+strings.Join(made, " and ")+".", means, do...)
		}
	}
}

func checkWebDiffer(p *Picture, f *findings) {
	differs := func(what string, s Severity, means, do string, value func(*webconfig.File) (string, int)) {
		values, first := map[string][]string{}, ""
		for _, w := range p.Web {
			text, line := value(w)
			if text == "" {
				return // one of them cannot be judged
			}
			values[text] = append(values[text], at(w, line))
			first = cmp.Or(first, w.Name)
		}
		if len(values) < 2 {
			return
		}
		var groups []string
		for _, text := range sortedKeys(values) {
			groups = append(groups, text+" in "+list(values[text]))
		}
		f.add(s, "", what+" differs: "+strings.Join(groups, "; ")+".", means, do)
	}
	keySeverity, keyMeans := p.keysDiffer()
	keyMeans = oneApplication + keyMeans
	const keyDo = "write the same <machineKey> into all of them"
	key := func(of func(*webconfig.MachineKey) webconfig.Key) func(*webconfig.File) (string, int) {
		return func(w *webconfig.File) (string, int) {
			k := w.Scopes[0].MachineKey
			switch {
			case k == nil:
				return "none", 0
			case k.Source != "" || k.Hidden:
				return "", 0
			case !of(k).Set:
				return "none", k.Line
			}
			text := "a key with the digest " + of(k).Digest
			if of(k).Auto {
				text = "AutoGenerate"
			}
			if of(k).Isolate != "" {
				text += "," + of(k).Isolate // the key that is used is another one than without
			}
			return text, k.Line
		}
	}
	differs("validationKey", keySeverity, keyMeans, keyDo, key(func(k *webconfig.MachineKey) webconfig.Key { return k.Validation }))
	differs("decryptionKey", Warning, oneApplication+logInLost, keyDo, key(func(k *webconfig.MachineKey) webconfig.Key { return k.Decryption }))
	text := func(of func(*webconfig.MachineKey) string, otherwise string) func(*webconfig.File) (string, int) {
		return func(w *webconfig.File) (string, int) {
			k := w.Scopes[0].MachineKey
			if k == nil {
				return otherwise, 0
			}
			if k.Source != "" || k.Hidden {
				return "", 0
			}
			return cmp.Or(of(k), otherwise), k.Line
		}
	}
	differs("The algorithm of validation", keySeverity, keyMeans, keyDo, text(func(k *webconfig.MachineKey) string { return k.ValidationAlgorithm }, "the default"))
	differs("The algorithm of decryption", Warning, oneApplication+logInLost, keyDo, text(func(k *webconfig.MachineKey) string { return k.DecryptionAlgorithm }, "the default"))
	differs("compatibilityMode", Warning, oneApplication+logInLost, keyDo, text(func(k *webconfig.MachineKey) string { return k.Compatibility }, "the default"))
	attr := func(name, otherwise string) func(*webconfig.File) (string, int) {
		return func(w *webconfig.File) (string, int) {
			x := w.Scopes[0].Session
			if x != nil && (x.Source != "" || x.Hidden) {
				return "", 0
			}
			return quoted(x.Get(name, otherwise)), x.At()
		}
	}
	differs("mode", Problem, "Only those with StateServer share their sessions.", "write the same <sessionState> into all of them", attr("mode", "InProc"))
	differs("stateConnectionString", Note, "That is well if both lead to nodes of one farm.", "see web-connection for where each leads", attr("stateConnectionString", webconfig.DefaultConnection))
	differs("cookieName", Problem, "A browser that comes to another web server brings a cookie that is not looked at there: the user has lost the session.", "write the same cookieName into all of them", attr("cookieName", "ASP.NET_SessionId"))
	differs("cookieless", Warning, "A session id that one web server gives out is not looked for by another.", "write the same cookieless into all of them", attr("cookieless", "UseCookies"))
	differs("timeout", Warning, "How long a session lives depends on the web server that saved it last.", "write the same timeout into all of them", attr("timeout", "20"))
	differs("compressionEnabled", Warning, "A session that one web server has compressed cannot be read by another.", "write the same compressionEnabled into all of them", attr("compressionEnabled", "false"))
}
