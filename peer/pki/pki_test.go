package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestIssue: what is issued chains to the CA for both roles, and can be loaded by crypto/tls.
func TestIssue(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "farm"), time.Now()
	made, err := NewCA(dir, now)
	check(t, err)
	ca, err := LoadCA(dir)
	check(t, err)
	if !ca.Cert.Equal(made.Cert) {
		t.Error("another CA was loaded than was made")
	}
	issued, err := IssueNode(ca, dir, "web1", []string{"web1.example.com", "192.0.2.1", "2001:db8::1"}, now, year)
	check(t, err)
	certFile, keyFile := NodeFiles(dir, "web1")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	check(t, err)
	if !pair.Leaf.Equal(issued) {
		t.Error("another certificate was written than was issued")
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for _, host := range []string{"web1", "web1.example.com", "192.0.2.1", "2001:db8::1"} {
			if _, err := issued.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]os.FileMode{CAKeyFile: 0o600, "web1.key": 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			check(t, err)
			if info.Mode() != want {
				t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
			}
		}
	}
}

// TestNothingIsOverwritten: neither a CA nor a node, and a half of a pair is left as it was.
func TestNothingIsOverwritten(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	ca, err := NewCA(dir, now)
	check(t, err)
	_, err = IssueNode(ca, dir, "a", nil, now, year)
	check(t, err)
	before := map[string]string{}
	for _, name := range []string{CAFile, CAKeyFile, "a.pem", "a.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		before[name] = string(text)
	}
	_, err = NewCA(dir, now)
	wants(t, err, "not overwritten")
	_, err = IssueNode(ca, dir, "a", nil, now, year)
	wants(t, err, "not overwritten")
	check(t, os.Remove(filepath.Join(dir, "a.key")))
	_, err = IssueNode(ca, dir, "a", nil, now, year)
	wants(t, err, "a.pem is there already")
	if _, err := os.Stat(filepath.Join(dir, "a.key")); err == nil {
		t.Error("a key was written without its certificate")
	}
	delete(before, "a.key")
	for name, was := range before {
		text, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		if string(text) != was {
			t.Errorf("%s was changed", name)
		}
	}
}

// TestRefused: each mistake has a sentence of its own.
func TestRefused(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	_, err := LoadCA(dir)
	wants(t, err, "farmstate cert ca --dir")
	ca, err := NewCA(dir, now)
	check(t, err)
	for _, name := range []string{"", "ca", "../x", "a/b", ".hidden", "a b", strings.Repeat("a", 64)} {
		_, err := IssueNode(ca, dir, name, nil, now, year)
		wants(t, err, "cannot be the name of a node")
	}
	for _, host := range []string{"", "a b", "-a", "fe80::1%eth0", "a..b"} {
		_, err := IssueNode(ca, dir, "n", []string{host}, now, year)
		wants(t, err, "neither a host name nor an IP address")
	}
	_, err = IssueNode(ca, dir, "n", nil, now, 0)
	wants(t, err, "of no use")
	_, err = IssueNode(ca, dir, "n", nil, now.Add(30*year), year)
	wants(t, err, "expired")
	cert, err := IssueNode(ca, dir, "n", nil, now, 100*year)
	check(t, err)
	if !cert.NotAfter.Equal(ca.Cert.NotAfter) {
		t.Error("a certificate outlives its CA")
	}
	other := t.TempDir()
	_, err = NewCA(other, now)
	check(t, err)
	check(t, os.Rename(filepath.Join(other, CAKeyFile), filepath.Join(dir, CAKeyFile)))
	_, err = LoadCA(dir)
	wants(t, err, "is not the key of")
	check(t, os.Rename(filepath.Join(dir, "n.pem"), filepath.Join(other, "n.pem")))
	check(t, os.Rename(filepath.Join(other, "n.pem"), filepath.Join(other, CAFile)))
	_, err = LoadCA(other)
	wants(t, err, "certificate of a node")
	check(t, os.WriteFile(filepath.Join(other, CAFile), []byte("hello\n"), 0o600))
	_, err = LoadCA(other)
	wants(t, err, "no PEM block")
}

func wants(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want an error with %q", err, text)
	}
}
