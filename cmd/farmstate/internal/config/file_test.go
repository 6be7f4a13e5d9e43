package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// keys is the end of every message about an unknown key.
var keys = "; accepted: " + strings.Join(keyNames(), ", ")

// TestBadFiles shows every line that a bad file gets.
func TestBadFiles(t *testing.T) {
	for _, v := range []struct{ name, text, want string }{
		{"unknown key", "\nmax_memry = 1\n",
			"farm.toml:2: max_memry: unknown key (did you mean max_memory?)" + keys},
		{"another spelling", "max-memory = 1\n",
			"farm.toml:1: max-memory: unknown key (did you mean max_memory?)" + keys},
		{"letter case counts", "Max_Memory = 1\n",
			"farm.toml:1: Max_Memory: unknown key (did you mean max_memory?)" + keys},
		{"nothing near", "colour = 1\n",
			"farm.toml:1: colour: unknown key" + keys},
		{"key in quotes", "\"a\\nb\" = 1\n",
			`farm.toml:1: "a\nb": unknown key` + keys},
		{"endless value", "log_level = \"" + strings.Repeat("x", 1000) + "\"\n",
			`farm.toml:1: log_level: "` + strings.Repeat("x", maxShown) + `"… is not known; accepted: debug, info, warn, error`},
		{"dotted key", "max.memory = 1\n",
			"farm.toml:1: max.memory: unknown key (did you mean max_memory?)" + keys},
		{"the file cannot name itself", "config = \"x\"\n",
			"farm.toml:1: config: unknown key" + keys},
		{"unknown table", "# x\n[server]\nlisten = 1\nfoo = 2\n",
			"farm.toml:2: server: unknown key" + keys},
		{"unknown list of tables", "[[aliases]]\nfrom = \"x\"\n",
			"farm.toml:1: aliases: unknown key (did you mean alias?)" + keys},
		{"option as table", "[listen]\naddr = \"x\"\n",
			"farm.toml:1: listen: is a table; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424"},
		{"option as list of tables", "[[lock_queue]]\n",
			"farm.toml:1: lock_queue: is a list of tables; accepted: a whole number from 1 to 1048576"},
		{"value out of range", "lock_wait = \"2m\"\n",
			`farm.toml:1: lock_wait: "2m" is above 30s; accepted: a duration from 0 to 30s, such as 700ms`},
		{"string for a number", "lock_queue = \"many\"\n",
			`farm.toml:1: lock_queue: is the string "many"; accepted: a whole number from 1 to 1048576`},
		{"number for a boolean", "gops = 1\n",
			`farm.toml:1: gops: is the number 1; accepted: true, false`},
		{"boolean for a string", "admin = false\n",
			`farm.toml:1: admin: is the boolean false; accepted: HOST:PORT, such as 127.0.0.1:42480, or off`},
		{"fraction for a number", "lock_queue = 1.5\n",
			`farm.toml:1: lock_queue: is the fraction 1.5; accepted: a whole number from 1 to 1048576`},
		{"date", "log_level = 2024-01-15\n",
			`farm.toml:1: log_level: is the date or time 2024-01-15; accepted: debug, info, warn, error`},
		{"list for a string", "listen = [\"a\"]\n",
			`farm.toml:1: listen: is a list; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"string for a list", "allow = \"10.0.0.0/8\"\n",
			`farm.toml:1: allow: is the string "10.0.0.0/8" and not a list in brackets; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"number in a list", "allow = [\"10.0.0.0/8\", 10]\n",
			`farm.toml:1: allow: holds the number 10; accepted: networks and IP addresses, such as 10.1.0.0/16, 192.168.7.12 or fd00::/8`},
		{"inline table", "listen = {host = \"x\"}\n",
			`farm.toml:1: listen: is a table; accepted: HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424`},
		{"number too large", "max_memory = 99999999999999999999\n",
			`farm.toml:1: max_memory: "99999999999999999999" is too large; accepted: auto, or a size of at least 1MiB, in bytes or with a unit such as KiB, MB or GiB`},
		{"duration without unit", "idle_timeout = 30\n",
			`farm.toml:1: idle_timeout: "30" has no unit; accepted: a duration from 1s to 24h, such as 30s`},
		{"set twice", "gops = true\n\ngops = false\n",
			`farm.toml:3: gops: is set again; the first time is on line 1`},
		{"syntax", "gops = true\nlisten = \n",
			`farm.toml:2: column 10: unexpected character U+000A at start of value`},
		{"open string", "listen = \"127.0.0.1:1\n",
			`farm.toml:1: column 22: basic strings cannot have new lines`},
		{"syntax behind other mistakes", "colour = 1\nlock_wait = 7\ngops = truth\n",
			"farm.toml:1: colour: unknown key" + keys + "\n" +
				`farm.toml:2: lock_wait: "7" has no unit; accepted: a duration from 0 to 30s, such as 700ms` + "\n" +
				`farm.toml:3: column 8: expected keyword "true"`},
		{"number the decoder refuses", "lock_queue = 007\n",
			`farm.toml:1: column 14: integers cannot have leading zeroes`},
		{"alias without sides", "\n[[alias]]\n",
			"farm.toml:2: alias.from: \"\" is empty: write an application id such as /LM/W3SVC/1/ROOT\n" +
				"farm.toml:2: alias.to: \"\" is empty: write an application id such as /LM/W3SVC/1/ROOT"},
		{"alias with a wrong key", "[[alias]]\nfrom = \"/a\"\nTo = \"/b\"\nto = \"/b\"\n",
			"farm.toml:3: alias.To: unknown key (did you mean to?); accepted: from, to"},
		{"alias with a wrong type", "[[alias]]\nfrom = 1\nto = \"/b\"\n",
			"farm.toml:2: alias.from: is the number 1; accepted: an application id, such as /LM/W3SVC/1/ROOT"},
		{"alias side twice", "[[alias]]\nfrom = \"/a\"\nfrom = \"/c\"\nto = \"/b\"\n",
			"farm.toml:3: alias.from: is set again; the first time is on line 2"},
		{"alias in the wrong brackets", "[alias]\nfrom = \"/a\"\nto = \"/b\"\n",
			"farm.toml:1: alias: is a list; begin each alias with [[alias]]"},
		{"alias as a string", "alias = \"/a\"\n",
			"farm.toml:1: alias: is the string \"/a\"; begin each alias with [[alias]]"},
		{"alias as a list of strings", "alias = [\"/a\"]\n",
			"farm.toml:1: alias: holds the string \"/a\"; begin each alias with [[alias]]"},
		{"alias to itself", "[[alias]]\nfrom = \"/LM/W3SVC/1/ROOT\"\nto = \"/LM/W3SVC/1/ROOT\"\n",
			`farm.toml:3: alias.to: "/LM/W3SVC/1/ROOT" is the same as from: remove the rule, or, to join all hashes of this application, name one of them in to: "/LM/W3SVC/1/ROOT(hash)"`},
		{"option below an alias", "[[alias]]\nfrom = \"/a\"\nto = \"/b\"\ngops = true\n",
			"farm.toml:4: alias.gops: unknown key; accepted: from, to"},
		{"legacy peer without an address", "\n[[legacy_peer]]\n",
			"farm.toml:2: legacy_peer.address: is missing; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425"},
		{"legacy peer with a bad address", "[[legacy_peer]]\naddress = \"web2\"\n",
			`farm.toml:2: legacy_peer.address: "web2" has no port; write web2:PORT; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"legacy peer with IPv6", "[[legacy_peer]]\naddress = \"[fd00::1]:42425\"\n",
			`farm.toml:2: legacy_peer.address: "[fd00::1]:42425" is an IPv6 address, and the original knows IPv4 only; accepted: HOST:PORT, such as 10.1.0.7:42425 or web2:42425`},
		{"legacy peer with an unknown key", "[[legacy_peer]]\nAddress = \"a:1\"\naddress = \"a:1\"\n",
			"farm.toml:2: legacy_peer.Address: unknown key (did you mean address?); accepted: address, authenticate, encrypt, password, password_file"},
		{"legacy peer with a wrong type", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = \"yes\"\npassword = 'long enough for us'\n",
			`farm.toml:3: legacy_peer.authenticate: is the string "yes"; accepted: true, false`},
		{"a password that is a number is not shown", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\npassword = 12345678901234\n",
			`farm.toml:4: legacy_peer.password: is not a string; accepted: a string`},
		{"legacy peer without a password", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\n",
			`farm.toml:3: legacy_peer.authenticate: true needs the password of that peer; add password, or password_file with the name of a file that holds it`},
		{"legacy peer with an empty password", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\npassword = ''\n",
			`farm.toml:4: legacy_peer.password: is empty, which the original does not accept`},
		{"legacy peer with an endless password", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\npassword = '" + strings.Repeat("x", MaxPassword+1) + "'\n",
			`farm.toml:4: legacy_peer.password: is longer than 1024 bytes`},
		{"legacy peer with two passwords", "[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\npassword = 'long enough for us'\npassword_file = 'x'\n",
			`farm.toml:5: legacy_peer.password_file: the password is there too, on line 4; keep one of the two`},
		{"legacy peer with a password and no use for it", "[[legacy_peer]]\naddress = \"a:1\"\npassword = 'long enough for us'\n",
			`farm.toml:3: legacy_peer.password: is used with authenticate = true only; add that, or remove the password`},
		{"encryption without authentication", "[[legacy_peer]]\naddress = \"a:1\"\nencrypt = true\n",
			`farm.toml:3: legacy_peer.encrypt: true needs authenticate = true, since the key for it comes out of the authentication`},
		{"legacy peer twice", "[[legacy_peer]]\naddress = \"Web2:1\"\n[[legacy_peer]]\naddress = \"web2:1\"\n",
			`farm.toml:4: legacy_peer.address: "web2:1" is there again; the first time is in farm.toml:1`},
		{"legacy peer that is this node", "[[legacy_peer]]\naddress = \"127.0.0.1:42425\"\n",
			`farm.toml:2: legacy_peer.address: "127.0.0.1:42425" is the address of this node's own peer port; name other servers only`},
		{"legacy peer that is a peer", "peer = [\"127.0.0.1:7\"]\n[[legacy_peer]]\naddress = \"127.0.0.1:7\"\n",
			`farm.toml:1: peer: "127.0.0.1:7" is a [[legacy_peer]] too (file farm.toml:2); keep peer if it runs farmstate, [[legacy_peer]] if it runs the original`},
		{"legacy peer without a farm", "standalone = true\n[[legacy_peer]]\naddress = \"127.0.0.1:7\"\n",
			`farm.toml:1: standalone: true means that there is no farm, but there is a [[legacy_peer]] (file farm.toml:2); remove one of the two`},
		{"legacy peer in the wrong brackets", "[legacy_peer]\naddress = \"a:1\"\n",
			"farm.toml:1: legacy_peer: is a list; begin each legacy peer with [[legacy_peer]]"},
		{"legacy peer as a string", "legacy_peer = \"a:1\"\n",
			"farm.toml:1: legacy_peer: is the string \"a:1\"; begin each legacy peer with [[legacy_peer]]"},
		{"not UTF-8", "# ok\nlisten = \"\xe9\"\n",
			"farm.toml:2: column 11: the byte 0xe9 is not UTF-8; save the file as UTF-8"},
		{"UTF-16", "\xff\xfel\x00",
			"farm.toml: is UTF-16; save it as UTF-8"},
		{"too large", strings.Repeat("# x\n", maxFile/4+1),
			"farm.toml: is larger than 1MiB, so it is no configuration file"},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := Load(Inputs{File: write(t, v.text)})
			if err == nil || err.Error() != v.want {
				t.Errorf("\n got %v\nwant %s", err, v.want)
			}
		})
	}
}

// TestAllProblemsAtOnce: a file, a variable and a flag that are wrong are all
// reported, and each on one line.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Load(Inputs{
		File:    write(t, "colour = 1\nlog_level = \"loud\"\nlisten = \":1\"\n"),
		Environ: []string{"FARMSTATE_MAX_BODY=big"},
		Flags:   map[string][]string{"lock_wait": {"1h"}},
	})
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{"farm.toml:1: colour", "farm.toml:2: log_level", "FARMSTATE_MAX_BODY", "--lock-wait", "farm.toml:3: listen"}
	if len(problems) != len(want) {
		t.Fatalf("%d problems, want %d:\n%v", len(problems), len(want), err)
	}
	for i, p := range problems {
		if p.Where != want[i] || strings.Contains(p.Error(), "\n") {
			t.Errorf("problem %d is %q, want it at %q", i, p.Error(), want[i])
		}
	}
}

// TestGoodAliases: both spellings of a list of tables, with a mark of a
// Windows editor in front.
func TestGoodAliases(t *testing.T) {
	for _, text := range []string{
		"\ufeff[[alias]]\r\nfrom = \"/LM/W3SVC/2/ROOT\"\r\nto = '/LM/W3SVC/1/ROOT'\r\n\r\n[[alias]]\r\nto = \"/LM/W3SVC/1/ROOT\"\r\nfrom = \"/LM/W3SVC/3/ROOT\"\r\n",
		"alias = [{from = \"/LM/W3SVC/2/ROOT\", to = \"/LM/W3SVC/1/ROOT\"}, {from = \"/LM/W3SVC/3/ROOT\", to = \"/LM/W3SVC/1/ROOT\"}]\n",
	} {
		c := load(t, Inputs{File: write(t, text)})
		if len(c.Aliases) != 2 || c.Aliases[1].From != "/LM/W3SVC/3/ROOT" || c.Aliases[1].To != "/LM/W3SVC/1/ROOT" {
			t.Errorf("aliases %v", c.Aliases)
		}
		key := string(c.Rules.AppendKey(nil, []byte("/LM/W3SVC/3/ROOT(a=)/abc")))
		if want := string(c.Rules.AppendKey(nil, []byte("/LM/W3SVC/1/ROOT(b=)/abc"))); key != want {
			t.Errorf("keys %s and %s, want one", key, want)
		}
	}
}

// TestFoldingReachesRules: an alias that letter case makes pointless is found,
// wherever folding was switched on.
func TestFoldingReachesRules(t *testing.T) {
	in := Inputs{File: write(t, "[[alias]]\nfrom = \"/LM/W3SVC/1/Root\"\nto = \"/LM/W3SVC/1/ROOT\"\n")}
	if c := load(t, in); c.Rules == nil {
		t.Error("no rules")
	}
	in.Flags = map[string][]string{"fold_application_case": {"true"}}
	if _, err := Load(in); err == nil || !strings.HasPrefix(err.Error(), "farm.toml:3: alias.to: ") {
		t.Errorf("got %v", err)
	}
}

// TestUnreadableFiles shows what a file that cannot be read gets.
func TestUnreadableFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, want string) {
		t.Helper()
		if _, err := Load(Inputs{File: name}); err == nil || err.Error() != want {
			t.Errorf("\n got %v\nwant %s", err, want)
		}
	}
	check("none.toml", "none.toml: there is no such file (looked for "+filepath.Join(dir, "none.toml")+"); name one that the account that runs farmstate can read")
	check(dir, dir+": this is a directory; name the configuration file in it")
	denied := "secret.toml: permission denied; let the account that runs farmstate read it"
	if got := openAdvice("secret.toml", &fs.PathError{Op: "open", Path: "secret.toml", Err: fs.ErrPermission}).Error(); got != denied {
		t.Errorf("\n got %s\nwant %s", got, denied)
	}
	odd := "odd.toml: cannot be opened: out of luck"
	if got := openAdvice("odd.toml", &fs.PathError{Op: "open", Path: "odd.toml", Err: errors.New("out of luck")}).Error(); got != odd {
		t.Errorf("\n got %s\nwant %s", got, odd)
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return // There is no file here that we may not read.
	}
	if err := os.WriteFile("secret.toml", nil, 0); err != nil {
		t.Fatal(err)
	}
	check("secret.toml", denied)
}

// FuzzFile: whatever the file holds, each problem is one line that begins with
// the name of the file, and what is accepted can be printed and read again.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "listen = \"127.0.0.1:1\"\n", "[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n", "alias = [{from = 1}]", "a.b.c = 1\n[x.y]\n",
		"\"a\\nb\" = 1\n\"a\\nb\" = 1\n", "alias = [{from = \"/a\"\n,\nto=3}, {to = \"/a\", from = [\n1]}]",
		"allow = [\"10.0.0.0/8\", 1, [2]]\n", "peer = [\"a:1,b:2\"]\ninsecure = true\n",
		"[[legacy_peer]]\naddress = \"a:1\"\nauthenticate = true\npassword = \"Cello\"\n[[alias]]\nfrom = \"/a\"\nto = \"/b\"\n", "lock_wait = 0x0\n", "max_body = \"\\u0031B\"\n", "listen = \"\"\"\n:1\"\"\"\n", "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Inputs{File: name})
		if problems, ok := errors.AsType[Problems](err); ok {
			for _, p := range problems {
				if !strings.HasPrefix(p.Where, name) && p.Where != "admin" && p.Where != "peer_listen" && p.Where != "max_peers" || strings.ContainsAny(p.Error(), "\n\r") {
					t.Errorf("problem %q", p.Error())
				}
			}
			return
		}
		again(t, c)
	})
}
