//go:build linux

package deploy

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/bench/proc"
)

const document = "../../docs/deployment.md"

// block returns the block of the document behind whose fence stands info.
func block(t *testing.T, info string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n```"+info+"\n")
	b, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended {
		t.Fatalf("%s has no block %q", document, info)
	}
	return b + "\n"
}

// places knows where the addresses of the document are in this test.
type places struct {
	t      *testing.T
	secret string            // file
	ports  map[string]string // of 127.0.0.1, by address in the document
}

func newPlaces(t *testing.T) *places {
	t.Helper()
	p := &places{t: t, secret: t.TempDir() + "/secret", ports: map[string]string{}}
	if err := os.WriteFile(p.secret, []byte("a secret for nodes under test, long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// port is the port that stands for an address of the document.
func (p *places) port(addr string) string {
	p.t.Helper()
	if p.ports[addr] == "" {
		n, err := proc.LastingPort()
		if err != nil {
			p.t.Fatal(err)
		}
		p.ports[addr] = strconv.Itoa(n)
	}
	return p.ports[addr]
}

// addr is the address that stands for one of the document.
func (p *places) addr(addr string) string {
	p.t.Helper()
	return net.JoinHostPort("127.0.0.1", p.port(addr))
}

var everyAddr = regexp.MustCompile(`":(424\d\d)"`)

var docAddr = regexp.MustCompile(`\b(10\.1\.0\.\d+|127\.0\.0\.1)(:| port )(424\d\d|8404)\b`)

// replace puts the places of this test into a file of the document that is for the machine host.
func (p *places) replace(host, text string) string {
	p.t.Helper()
	text = strings.NewReplacer("10.1.0.0/24", "127.0.0.0/8", `"/etc/farmstate/secret"`, strconv.Quote(p.secret)).Replace(text)
	text = everyAddr.ReplaceAllString(text, `"`+host+`:$1"`)
	return docAddr.ReplaceAllStringFunc(text, func(s string) string {
		m := docAddr.FindStringSubmatch(s)
		at := m[1]
		if at == "127.0.0.1" {
			at = host
		}
		return "127.0.0.1" + m[2] + p.port(net.JoinHostPort(at, m[3]))
	})
}

// swap makes of a file for one machine that for another.
func swap(text, one, other string) string {
	bound := func(host string) *regexp.Regexp { return regexp.MustCompile(regexp.QuoteMeta(host) + `\b`) }
	const aside = "\x00"
	text = bound(one).ReplaceAllString(text, aside)
	text = bound(other).ReplaceAllString(text, one)
	return strings.ReplaceAll(text, aside, other)
}
