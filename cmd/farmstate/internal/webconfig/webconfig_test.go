package webconfig

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

const whole = `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE configuration [ <!ENTITY more "much more"> ]>
<configuration>
  <system.web>
    <compilation debug="true" />
    <sessionState mode="StateServer"
                  stateConnectionString=" tcpip=web7:42424 " sqlConnectionString="data source=db;password=hush"
                  timeout="30" />
    <machineKey validationKey="ABCDEF0102030405060708090a0b0c0d0e0f1011" decryptionKey="AutoGenerate,IsolateApps" validation="SHA1" />
    <httpRuntime executionTimeout="90" />
    <httpCookies requireSSL="true" domain="example.org" />
    <pages enableSessionState="ReadOnly" />
  </system.web>
  <location path="admin">
    <system.web><sessionState mode="Off" /></system.web>
  </location>
  <other><system.web><sessionState mode="SQLServer" /></system.web></other>
</configuration>
`

func read(t *testing.T, text string) *File {
	t.Helper()
	f, err := Read("web.config", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	f := read(t, whole)
	if len(f.Scopes) != 2 || f.Scopes[0].Path != "" || f.Scopes[1].Path != "admin" || f.Scopes[1].Line != 14 {
		t.Fatalf("scopes: %+v", f.Scopes)
	}
	s := f.Scopes[0]
	if s.Session.Line != 6 || s.Session.Get("mode", "") != "StateServer" || s.Session.Get("stateConnectionString", "") != "tcpip=web7:42424" || s.Session.Get("cookieName", "x") != "x" {
		t.Errorf("sessionState: %+v", s.Session)
	}
	if s.Session.Get("sqlConnectionString", "") != "set" {
		t.Error("a connection string that may hold a password is kept")
	}
	k := s.MachineKey
	if k.Line != 9 || !k.Validation.Set || k.Validation.Auto || k.Validation.Bytes != 20 || k.Validation.BadDigit || len(k.Validation.Digest) != 6 ||
		!k.Decryption.Auto || k.Decryption.Isolate != "IsolateApps" || k.ValidationAlgorithm != "SHA1" {
		t.Errorf("machineKey: %+v", k)
	}
	if text := fmt.Sprintf("%+v", *k); strings.Contains(strings.ToUpper(text), "ABCDEF0102") {
		t.Error("the key is kept")
	}
	if s.Runtime.Line != 10 || s.Runtime.Get("executionTimeout", "") != "90" || s.Cookies.Get("domain", "") != "example.org" || s.Pages.Get("enableSessionState", "") != "ReadOnly" ||
		s.Compile.Get("debug", "") != "true" {
		t.Errorf("sections: %+v", s)
	}
	if f.Scopes[1].Session.Get("mode", "") != "Off" {
		t.Errorf("location: %+v", f.Scopes[1])
	}
	if len(f.Notes) != 0 {
		t.Errorf("notes: %+v", f.Notes)
	}
}

func TestEncodings(t *testing.T) {
	text := strings.Replace(whole, "utf-8", "utf-16", 1)
	wide := func(order binary.AppendByteOrder, mark bool) []byte {
		var out []byte
		if mark {
			out = order.AppendUint16(out, 0xfeff)
		}
		for _, c := range utf16.Encode([]rune(strings.Replace(text, "admin", "admin€𝄞", 1))) {
			out = order.AppendUint16(out, c)
		}
		return out
	}
	for name, data := range map[string][]byte{
		"utf-8 with a mark":            []byte("\xef\xbb\xbf" + whole),
		"utf-16 little endian":         wide(binary.LittleEndian, true),
		"utf-16 big endian":            wide(binary.BigEndian, true),
		"utf-16 little endian, naked":  wide(binary.LittleEndian, false),
		"utf-16 big endian, naked":     wide(binary.BigEndian, false),
		"windows-1252":                 []byte(strings.Replace(strings.Replace(whole, "utf-8", "Windows-1252", 1), "admin", "adm\xefn", 1)),
		"windows lines":                []byte(strings.ReplaceAll(whole, "\n", "\r\n")),
		"an old namespace on the root": []byte(strings.Replace(whole, "<configuration>", `<configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0">`, 1)),
	} {
		f, err := Read(name, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Scopes[0].Session == nil || f.Scopes[0].Session.Line != 6 || len(f.Scopes) != 2 {
			t.Errorf("%s: %+v", name, f.Scopes)
		}
	}
	if f := read(t, strings.Replace(strings.Replace(whole, "utf-8", "iso-8859-1", 1), "admin", "adm\xefn", 1)); f.Scopes[1].Path != "admïn" {
		t.Errorf("latin: %q", f.Scopes[1].Path)
	}
}

func TestBad(t *testing.T) {
	for text, want := range map[string]string{
		"":      "web.config: has no element <configuration>",
		"plain": "web.config: has no element",
		"<configuration>\n<system.web>\n<sessionState mode=InProc />": "web.config:3: is not well-formed XML",
		"<configuration>\n</config>":                                  "web.config:2: is not well-formed XML",
		"<configuration>":                                             "is not well-formed XML",
		"<configuration>\n&more;</configuration>":                     "web.config:2: is not well-formed XML",
		"<web/>":                             "web.config:1: the root element is <web>",
		"<configuration/>\n<configuration/>": "web.config:2: there is a second root",
		`<?xml version="1.0" encoding="ebcdic"?><configuration/>`: `the encoding "ebcdic" is not known`,
		"\xff\xfe<\x00c": "UTF-16 with half a character",
		"<configuration>" + strings.Repeat("<a>", maxDepth): "nested more than 200 deep",
		"<configuration>\x01</configuration>":               "is not well-formed XML",
	} {
		_, err := Read("web.config", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
	if _, err := Read("big", make([]byte, maxFile+1)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("big: %v", err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.config")
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Open(file); err != nil || f.Name != file {
		t.Errorf("%v, %+v", err, f)
	}
	for name, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "none"): "cannot be read ("} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), name) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotes(t *testing.T) {
	for text, want := range map[string]string{
		`<sessionState configSource="session.config" />`:                                                                      "the file session.config (configSource)",
		`<machineKey configSource="keys.config" />`:                                                                           "the file keys.config (configSource)",
		`<sessionState configProtectionProvider="RsaProtectedConfigurationProvider"><EncryptedData/></sessionState>`:          "is encrypted",
		`<sessionstate mode="Off" />`:                                                                                         "spelt with other letter case than <sessionState>",
		"<sessionState />\n<sessionState />":                                                                                  "a second time (before that on line 1)",
		`<sessionState xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform" xdt:Transform="Replace" mode="Off" />`: "transforms (xdt:) are not carried out",
	} {
		f := read(t, "<configuration><system.web>"+text+"</system.web></configuration>")
		if len(f.Notes) != 1 || f.Notes[0].Line < 1 || !strings.Contains(f.Notes[0].Text, want) {
			t.Errorf("%s: %+v", text, f.Notes)
		}
	}
	f := read(t, "<configuration><location path='.'><system.web><sessionState mode='Off' /></system.web></location></configuration>")
	if len(f.Scopes) != 1 || f.Scopes[0].Session.Get("mode", "") != "Off" {
		t.Errorf(`path=".": %+v`, f.Scopes)
	}
	f = read(t, "<configuration><location path='a'></location><system.web><sessionState mode='Off' /></system.web></configuration>")
	if f.Scopes[0].Session == nil || f.Scopes[1].Session != nil {
		t.Errorf("behind a location: %+v", f.Scopes)
	}
	f = read(t, "<configuration><system.web><sessionState><EncryptedData/></sessionState><machineKey/></system.web></configuration>")
	if !f.Scopes[0].Session.Hidden || f.Scopes[0].MachineKey.Hidden {
		t.Errorf("encrypted: %+v", f.Scopes[0])
	}
}

func TestConnection(t *testing.T) {
	for text, want := range map[string]string{
		"tcpip=127.0.0.1:42424": "127.0.0.1 42424", "tcpip=loopback:42424": "loopback 42424", "tcpip=[::1]:9": "::1 9",
		"TCPIP=web1:42424": "", "tcpip=web1": "", "tcpip=:42424": "", "tcpip=web1:0": "", "tcpip=web1:70000": "", "data source=x": "", "": "", "tcpip=web1:+7": "",
	} {
		host, port, err := Connection(text)
		got := ""
		if err == nil {
			got = fmt.Sprint(host, " ", port)
		}
		if got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, "0": 0, "00:01:30": 90 * time.Second, "1:30": 90 * time.Minute, "1.00:00:01": 24*time.Hour + time.Second, "Infinite": -1,
		"": -2, "ten": -2, "-1": -2, "1:2:3:4": -2, "00:61": -2, "9999999999": -2, "1.x": -2, "-1.00:00": -2, "0:0:99": -2, "23:59": 24*time.Hour - time.Minute, "24:00": -2,
	} {
		d, finite, err := Duration(text, time.Second)
		switch {
		case err != nil:
			d = -2
		case !finite:
			d = -1
		}
		if d != want {
			t.Errorf("%q: %v, want %v", text, d, want)
		}
	}
}

func TestKeys(t *testing.T) {
	a, b, c := keyOf("abcdef"), keyOf("ABCDEF,IsolateApps"), keyOf("abcdee")
	if a.Digest != b.Digest || a.Digest == c.Digest || b.Isolate != "IsolateApps" || a.Isolate != "" {
		t.Errorf("%+v %+v %+v", a, b, c)
	}
	if k := keyOf("ab, isolatebyappid,IsolateApps,c,IsolateApps"); k.Isolate != "IsolateApps,IsolateByAppId" {
		t.Errorf("%+v", k)
	}
	if k := keyOf("xyz"); !k.BadDigit || k.Auto {
		t.Errorf("%+v", k)
	}
	if k := keyOf("autogenerate"); !k.Auto || k.Digest != "" {
		t.Errorf("%+v", k)
	}
}

// FuzzWebConfig: whatever a file holds, it is read or refused; lines lie within it, and no key is kept.
func FuzzWebConfig(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("<configuration><location path='a'><system.web><sessionState/></system.web></location></configuration>"))
	f.Add([]byte("\xff\xfe<\x00c\x00"))
	f.Add([]byte("<configuration><system.web><machineKey validationKey='AB' decryptionKey='x,IsolateApps'/></system.web></configuration>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read("f", data)
		if (err == nil) == (file == nil) {
			t.Fatalf("%v, %v", file, err)
		}
		lines := strings.Count(string(data), "\n") + 1
		if err != nil {
			if bad, ok := err.(*SyntaxError); !ok || bad.Line < 0 || bad.Line > lines || bad.Text == "" || strings.ContainsAny(bad.Text, "\n\x1b") { //nolint:errorlint // it is not wrapped
				t.Fatalf("%#v, of %d lines", err, lines)
			}
			return
		}
		if len(file.Scopes) == 0 || file.Scopes[0].Path != "" || len(file.Notes) > maxNotes {
			t.Fatalf("%+v", file)
		}
		for _, s := range file.Scopes {
			for _, x := range []*Section{s.Session, s.Runtime, s.Pages, s.Cookies, s.Compile} {
				if x.At() < 0 || x.At() > lines {
					t.Fatalf("line %d of %d", x.At(), lines)
				}
			}
			text := s.Session.Get("stateConnectionString", DefaultConnection)
			if host, port, err := Connection(text); err == nil && (host == "" || port < 1 || port > 65535) {
				t.Fatalf("%q: %q %d", text, host, port)
			}
			if d, _, err := Duration(s.Session.Get("timeout", "20"), time.Minute); err == nil && d < 0 {
				t.Fatalf("timeout %v", d)
			}
		}
	})
}
