//go:build unix

package farm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// emulatedWait is the query timeout where there are emulators: what is nowhere costs it.
const emulatedWait = time.Second

// emMode is how an original's links are protected.
type emMode struct {
	name         string
	authenticate bool
	encrypt      bool
}

var emModes = []emMode{{"plain", false, false}, {"authenticated", true, false}, {"encrypted", true, true}}

const emPassword = "sunny's super state service"

func (m emMode) emulated(peers ...string) emulated {
	return emulated{peers: peers, authenticate: m.authenticate, encrypt: m.encrypt, password: emPassword, lag: 2 * time.Millisecond}
}

// withEmulators makes a node know originals. To be called before the start.
func (f *farm) withEmulators(i int, originals ...*emulator) {
	f.t.Helper()
	var b strings.Builder
	for _, e := range originals {
		fmt.Fprintf(&b, "[[legacy_peer]]\naddress = %q\n", e.peer)
		if e.setup.authenticate {
			fmt.Fprintf(&b, "authenticate = true\nencrypt = %t\npassword = %q\n", e.setup.encrypt, e.setup.password)
		}
	}
	file := filepath.Join(f.dir, fmt.Sprintf("emulated%d.toml", i))
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.nodes[i].args = append(f.nodes[i].args, "--config", file)
}

// awaitEmulators waits until all originals of a node are linked.
func (n *node) awaitEmulators() {
	n.t.Helper()
	await(n.t, "the originals to be linked to "+n.name, patience, func() bool {
		var v view
		if n.page("farm", &v) != nil || len(v.Originals) == 0 {
			return false
		}
		for _, o := range v.Originals {
			if !o.Live {
				return false
			}
		}
		return true
	})
}

// put makes sessions at a node.
func (n *node) put(keys ...string) {
	n.t.Helper()
	together(len(keys), func(i int) {
		if a := n.do(PUT(keys[i], body(keys[i], 200))); a.status != 200 {
			n.t.Errorf("PUT %s at %s: %v", keys[i], n.name, a)
		}
	})
}

// getAll reads sessions all at the same time, and returns how many there are.
func getAll(t testing.TB, where string, do func(string) answer, keys []string) (found int) {
	t.Helper()
	answers := make([]answer, len(keys))
	together(len(keys), func(i int) { answers[i] = do(GET(keys[i])) })
	for i, a := range answers {
		if a.status == 200 && a.body == body(keys[i], 200) {
			found++
		} else {
			t.Logf("GET %s at %s: %v after %v", keys[i], where, a, a.took)
		}
	}
	return found
}

// TestInterop links a node to an emulated original, in all modes, with links that only this node dials and with links that both dial.
func TestInterop(t *testing.T) {
	t.Parallel()
	for _, mode := range emModes {
		for _, both := range []bool{false, true} {
			name := mode.name + " dialled by us"
			if both {
				name = mode.name + " dialled by both"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String(), "--lock-wait", "0")
				n := f.nodes[0]
				e := newEmulator(t, mode.emulated())
				want := 1
				if both {
					e.setup.peers, want = []string{n.peer}, 2
				}
				f.withEmulators(0, e)
				if !both {
					e.start()
				}
				f.start()
				if both {
					e.start()
				}
				n.awaitEmulators()
				await(t, "the links", patience, func() bool { return e.linked() == want })
				interop(t, n, e)
				ours, theirs := newKeys(30), newKeys(60)
				together(2, func(i int) {
					if i == 0 {
						n.put(ours...)
					} else if both {
						e.put(theirs...)
					}
				})
				if !both { // it stops: its sessions are lost, as it has nobody in its list
					n.stop(0, patience)
					if got := e.has(ours...); got != len(ours) {
						t.Errorf("%d of %d sessions came to the original", got, len(ours))
					}
					return
				}
				began := time.Now()
				if lost := e.stop(); lost > 0 {
					t.Errorf("the original lost %d sessions", lost)
				}
				t.Logf("the original handed over %d sessions in %v", len(theirs), time.Since(began))
				if got := getAll(t, n.name, n.do, theirs); got != len(theirs) {
					t.Errorf("%d of %d sessions came here", got, len(theirs))
				}
				e.start()
				await(t, "the original to be back", patience, func() bool { return e.linked() >= 1 })
				n.awaitEmulators()
				n.stop(0, patience)
				if got := e.has(append(ours, theirs...)...); got != len(ours)+len(theirs) {
					t.Errorf("%d of %d sessions came to the original", got, len(ours)+len(theirs))
				}
			})
		}
	}
}

// interop moves sessions to and fro.
func interop(t *testing.T, n *node, e *emulator) {
	t.Helper()
	k, many := newKeys(3), newKeys(30)
	together(2, func(i int) {
		if i == 0 {
			e.put(append(k[:2:2], many...)...)
		} else if a := e.do(PUT(k[2], "u", flag1())); a.status != 200 {
			t.Error(a)
		}
	})
	for i := range 10 {
		if got := getAll(t, n.name, n.do, k[:1]); got != 1 {
			t.Fatalf("bounce %d: not here", i)
		}
		await(t, "the original to forget its copy", emulatedWait/2, func() bool { return e.has(k[0]) == 0 })
		if got := getAll(t, "the original", e.do, k[:1]); got != 1 {
			t.Fatalf("bounce %d: not at the original", i)
		}
	}
	if got := getAll(t, n.name, n.do, many); got != len(many) {
		t.Errorf("%d of %d sessions read here at once", got, len(many))
	}
	if got := getAll(t, "the original", e.do, many); got != len(many) {
		t.Errorf("%d of %d sessions read at the original at once", got, len(many))
	}
	// A lock travels, and its cookie is kept here and becomes 1 there.
	play := func(do func(string) answer, where, send, want string) {
		t.Helper()
		if a := do(send); !a.is(want) {
			first, _, _ := strings.Cut(send, "\r\n")
			t.Errorf("%s at %s: %v, want %s", first, where, a, want)
		}
	}
	text := body(k[1], 200)
	play(e.do, "the original", ACQ(k[1]), fmt.Sprintf("200 #2 (%d bytes)", len(text)))
	play(n.do, n.name, GET(k[1]), "423 #2")
	play(n.do, n.name, PUT(k[1], "w", cookie(2)), "200")
	play(n.do, n.name, ACQ(k[1]), "200 #3 w")
	play(e.do, "the original", GET(k[1]), "423 #1")
	play(e.do, "the original", REL(k[1], 1), "200")
	play(n.do, n.name, GET(k[1]), "200 w")
	// An uninitialised session, and one that is deleted where it is not.
	play(n.do, n.name, GET(k[2]), "200 ! u")
	play(e.do, "the original", DEL(k[2]), "200")
	play(n.do, n.name, GET(k[2]), "404")
	if n.sessions() > int64(len(many)+4) {
		t.Errorf("%d sessions", n.sessions())
	}
}

// TestInteropTwo links a node to two originals, which know each other only by this node. They run on one machine, as tests of a farm do, or on two.
func TestInteropTwo(t *testing.T) {
	t.Parallel()
	for _, mode := range emModes {
		for _, far := range []string{"127.0.0.1", "127.0.0.2"} {
			if far != "127.0.0.1" && mode.encrypt {
				continue
			}
			t.Run(mode.name+" "+far, func(t *testing.T) {
				t.Parallel()
				f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String(), "--lock-wait", "0")
				n := f.nodes[0]
				near := newEmulator(t, mode.emulated(n.peer))
				setup := mode.emulated(n.peer)
				setup.ip = far
				other := newEmulator(t, setup)
				f.withEmulators(0, near, other)
				f.start()
				other.start() // so that the first connection is not that of the first in the list
				await(t, "the other original", patience, func() bool { return other.linked() >= 1 })
				near.start()
				for _, e := range []*emulator{near, other} {
					await(t, "the links of "+e.peer, patience, func() bool { return e.linked() == 2 })
				}
				n.awaitEmulators()
				twoOriginals(t, n, near, other)
			})
		}
	}
}

func twoOriginals(t *testing.T, n *node, near, other *emulator) {
	t.Helper()
	a, b, c, d := newKeys(8), newKeys(8), newKeys(8), newKeys(8)
	together(4, func(i int) {
		[]*emulator{near, other, near, other}[i].put([][]string{a, b, c, d}[i]...)
	})
	for _, x := range []struct {
		where string
		do    func(string) answer
		keys  []string
	}{
		{n.name, n.do, a}, {n.name, n.do, b}, {other.peer, other.do, c}, {near.peer, near.do, d},
		{other.peer, other.do, a}, {near.peer, near.do, b}, {n.name, n.do, c}, {n.name, n.do, d},
	} {
		step := 1 // between themselves originals lose what they send at once
		if x.where == n.name {
			step = len(x.keys)
		}
		got := 0
		for part := range slices.Chunk(x.keys, step) {
			got += getAll(t, x.where, x.do, part)
		}
		if got != len(x.keys) {
			t.Errorf("%d of %d sessions at %s", got, len(x.keys), x.where)
		}
	}
	// c and d are here. When one has just left, whoever asks finds it by a rebroadcast, though the query may not be passed on.
	for _, key := range c[:4] {
		if x := near.do(GET(key)); x.status != 200 {
			t.Fatal(x)
		}
		other.mu.Lock()
		host := other.live[0]
		other.expected[key] = &emExpected{timer: time.NewTimer(time.Hour)}
		id := newID()
		other.started[id] = true
		host.send("query", GT(key, other.peer, id, "", 0))
		other.mu.Unlock()
		await(t, "the rebroadcast to reach the session", patience, func() bool { return other.has(key) == 1 })
	}
}

// TestInteropGateway has a farm of two, only one of which is linked to an original.
func TestInteropGateway(t *testing.T) {
	t.Parallel()
	for _, mode := range emModes[1:] {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			f := newFarm(t, pair(), secret, "--query-timeout", emulatedWait.String(), "--lock-wait", "0")
			gate, far := f.nodes[0], f.nodes[1]
			e := newEmulator(t, mode.emulated(gate.peer))
			f.withEmulators(0, e)
			f.start()
			e.start()
			gate.awaitEmulators()
			await(t, "the links", patience, func() bool { return e.linked() == 2 })
			theirs, ours := newKeys(20), newKeys(20)
			together(2, func(i int) {
				if i == 0 {
					e.put(theirs...)
				} else {
					far.put(ours...)
				}
			})
			if got := getAll(t, far.name, far.do, theirs); got != len(theirs) {
				t.Errorf("%d of %d sessions of the original behind the gateway", got, len(theirs))
			}
			if got := getAll(t, "the original", e.do, ours); got != len(ours) {
				t.Errorf("%d of %d sessions of behind the gateway at the original", got, len(ours))
			}
			// The original dies without a word, and comes back.
			e.kill()
			k := newKey()
			far.put(k)
			e.start()
			await(t, "the links", patience, func() bool { return e.linked() >= 1 })
			gate.awaitEmulators()
			if a := e.do(GET(k)); a.status != 200 {
				t.Errorf("after the original was restarted: %v", a)
			}
		})
	}
}

// TestInteropRefused has passwords and modes that differ.
func TestInteropRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		theirs  emMode
		ours    emMode
		log     string
		penalty bool // a miss waits for the original
	}{
		{"passwords", emModes[2], emModes[2], "PeerPassword", false},
		{"they authenticate", emModes[1], emModes[0], "authenticat", false},
		{"we authenticate", emModes[0], emModes[1], "without authentication", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String())
			n := f.nodes[0]
			e := newEmulator(t, c.ours.emulated(n.peer))
			if c.name == "passwords" {
				e.setup.password = "another one that is long enough"
			}
			f.withEmulators(0, e)
			e.setup.authenticate, e.setup.encrypt, e.setup.password = c.theirs.authenticate, c.theirs.encrypt, emPassword
			f.start()
			e.start()
			n.logs("original", c.log)
			n.do(GET(newKey())) // while the node is new, it waits for its links
			a := n.do(GET(newKey()))
			if a.status != 404 || !c.penalty && a.took > soon(emulatedWait/2) {
				t.Errorf("%v after %v", a, a.took)
			}
		})
	}
}

// TestInteropKeys moves sessions whose keys are spelt in all kinds of ways. An original's key is the target byte for byte, ours is what it stands for.
func TestInteropKeys(t *testing.T) {
	t.Parallel()
	const aspNet = "%2fLM%2fW3SVC%2f2%2fROOT%2fmy+shop(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4%3d)%2f"
	f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String(), "--lock-wait", "0")
	n := f.nodes[0]
	e := newEmulator(t, emModes[0].emulated(n.peer))
	f.withEmulators(0, e)
	f.start()
	e.start()
	n.awaitEmulators()
	await(t, "the links", patience, func() bool { return e.linked() == 2 })
	// These come back as they were spelt, whatever happens.
	kept := []string{
		aspNet + "z445nnecaiiqye55asxwtm55", "/k/a", "/K/a", "/k/a.b_c-d!*()", "plain", "%2fk%2fkept",
	}
	// Of these the spelling is lost when they are handed over without anybody asking: no ASP.NET since 2.0 spells so.
	lost := []string{"%2FLM%2Fupper", "//LM/W3SVC/1", "/k/a+b", "/k/c%20d", "/k/%e4%u00e4"}
	all := slices.Concat(kept, lost)
	e.put(all...)
	for range 2 {
		if got := getAll(t, n.name, n.do, all); got != len(all) {
			t.Errorf("%d of %d keys come here", got, len(all))
		}
		if got := getAll(t, "the original", e.do, all); got != len(all) {
			t.Errorf("%d of %d keys come to the original", got, len(all))
		}
	}
	if got := getAll(t, n.name, n.do, all); got != len(all) {
		t.Errorf("%d of %d keys come here", got, len(all))
	}
	n.stop(0, patience)
	for _, k := range kept {
		if e.has(k) != 1 {
			t.Errorf("%s did not come back under its name", k)
		}
	}
}

// TestInteropImport runs a node on the configuration of an original in whose place it stands.
func TestInteropImport(t *testing.T) {
	t.Parallel()
	const original = `<?xml version="1.0" encoding="utf-8" ?>
<configuration>
  <configSections>
    <section name="Peers" type="System.Configuration.DictionarySectionHandler"/>
  </configSections>
  <appSettings>
    <!-- The port for web servers -->
    <add key ="WebserverPort" value ="%s"/>
    <add key ="PeerPort" value ="%s"/>
    <add key ="AuthenticatePeers" value="true"/>
    <add key ="EncryptPeerData" value ="true"/>
    <add key ="PeerPassword" value="sunny's_super_state_service"/>
    <add key ="MaxForwards" value="5"/>
    <add key ="NetworkQueryTimeout" value ="1"/>
    <add key ="StandaloneMode" value="false"/>
  </appSettings>
  <Peers>
    <!-- <add key="Peer0" value="networkPC:22222" /> -->
    <add key="Peer1"  value="%s" />
    <add key="Peer2"  value="%s" />
  </Peers>
</configuration>
`
	n := newNode(t, "A")
	setup := emModes[2].emulated(n.peer)
	setup.password = "sunny's_super_state_service"
	a := newEmulator(t, setup)
	setup.ip = "127.0.0.2"
	b := newEmulator(t, setup)
	port := func(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
	dir := t.TempDir()
	from, to := filepath.Join(dir, "ConsoleServer.exe.config"), filepath.Join(dir, "farmstate.toml")
	text := "\ufeff" + strings.ReplaceAll(fmt.Sprintf(original, port(n.state), port(n.peer), a.peer, b.peer), "\n", "\r\n") // as Windows saves it
	if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(runOK(t, "config", "import", from)), 0o600); err != nil {
		t.Fatal(err)
	}
	runOK(t, "config", "check", to)
	n.args = []string{"--config", to, "--admin", n.admin}
	a.start()
	n.start()
	b.start()
	n.awaitEmulators()
	for _, e := range []*emulator{a, b} {
		await(t, "the links", patience, func() bool { return e.linked() >= 1 })
	}
	k := newKeys(2)
	a.put(k[0])
	n.put(k[1])
	for _, x := range []func(string) answer{n.do, b.do, n.do, a.do, b.do, n.do} {
		if got := getAll(t, "its turn", x, k); got != len(k) {
			t.Errorf("%d of %d sessions", got, len(k))
		}
	}
	n.stop(0, patience)
	if got := a.has(k...) + b.has(k...); got != len(k) {
		t.Errorf("%d of %d sessions are left", got, len(k))
	}
}

// TestInteropStart asks a node that has just been started for a session of an original, to which it is not linked yet: the page that a user opens while
// farmstate takes an original's place.
func TestInteropStart(t *testing.T) {
	t.Parallel()
	f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String())
	n := f.nodes[0]
	setup := emModes[2].emulated()
	setup.lag = 20 * time.Millisecond
	e := newEmulator(t, setup)
	f.withEmulators(0, e)
	e.start()
	k := newKey()
	e.put(k)
	f.startAll()
	if a := n.do(GET(k)); a.status != 200 {
		t.Errorf("%v after %v", a, a.took)
	}
}

// TestInteropMeets has an original send a session back before this node has heard that it arrived there. Refused, an original that stops would give up this
// node, and all sessions that it has left with it.
func TestInteropMeets(t *testing.T) {
	t.Parallel()
	o := newOriginal(t)
	f := newFarm(t, single(), plain, "--query-timeout", emulatedWait.String())
	f.withOriginal(0, o)
	f.start()
	n := f.nodes[0]
	n.awaitOriginal()
	for _, c := range []struct{ answer, want, body string }{
		{"200 OK", "200 OK", "new"},
		{"503 Service Unavailable", "412 Precondition Failed", "old"},
	} {
		k, id := newKey(), newID()
		f.play(t, step{0, PUT(k, "old"), okPut})
		arrived, answer := make(chan struct{}, 9), make(chan struct{})
		o.answers(func(m string) string {
			if !strings.HasPrefix(m, "PUT ") {
				return ""
			}
			arrived <- struct{}{}
			<-answer
			return assoc(c.answer, idOf(m))
		})
		if _, err := dialTo(t, n.peer).Write([]byte(GT(k, o.addr, newID(), "", 0))); err != nil {
			t.Fatal(err)
		}
		<-arrived
		back := dialTo(t, n.peer)
		if _, err := back.Write([]byte(ST(k, "new", id))); err != nil {
			t.Fatal(err)
		}
		if !back.silent(emulatedWait / 5) {
			t.Error("the session is judged before it is known where the one here goes")
		}
		close(answer)
		_ = back.SetReadDeadline(time.Now().Add(patience))
		if a := back.read(); !a.is(assoc(c.want, id)) {
			t.Errorf("%q %v", a.raw, a.err)
		}
		f.play(t, step{0, GET(k), okGet(c.body)})
	}
}
