package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certGuard is TLS where both sides show a certificate of one CA, for the use of their role. Host names are not compared: nodes find each other by
// addresses that they tell each other, and whoever has a certificate of the farm's CA belongs to the farm.
type certGuard struct {
	files *Certificates
	log   *slog.Logger

	mu    sync.Mutex
	seen  [3]fileState // guarded by mu, as are the two below
	cert  tls.Certificate
	roots *x509.CertPool
}

// fileState is by what a file is seen to have changed.
type fileState struct {
	modified time.Time
	size     int64
}

func newCertGuard(files *Certificates, log *slog.Logger) (*certGuard, error) {
	g := &certGuard{files: files, log: log}
	g.seen = g.look()
	cert, roots, err := g.load()
	if err != nil {
		return nil, err
	}
	g.cert, g.roots = cert, roots
	return g, nil
}

func (*certGuard) encrypted() bool { return true }

func (g *certGuard) look() (all [3]fileState) {
	for i, name := range []string{g.files.CA, g.files.Cert, g.files.Key} {
		if info, err := os.Stat(name); err == nil {
			all[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return all
}

func (g *certGuard) load() (tls.Certificate, *x509.CertPool, error) {
	var none tls.Certificate
	pem, err := os.ReadFile(g.files.CA)
	if err != nil {
		return none, nil, fmt.Errorf("the CA's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return none, nil, fmt.Errorf("the CA's certificate: %s has none in PEM form", g.files.CA)
	}
	cert, err := tls.LoadX509KeyPair(g.files.Cert, g.files.Key)
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return none, nil, fmt.Errorf("the node's certificate: %w", path)
	}
	if err != nil {
		return none, nil, fmt.Errorf("the node's certificate: %s with %s: %w", g.files.Cert, g.files.Key, err)
	}
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
		if err != nil {
			return none, nil, fmt.Errorf("the node's certificate: %s would be refused by other nodes: %w", g.files.Cert, err)
		}
	}
	return cert, roots, nil
}

// current is the certificate and the CA's, as the files have them now. Files that cannot be used change nothing.
func (g *certGuard) current() (tls.Certificate, *x509.CertPool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seen := g.look(); seen != g.seen {
		g.seen = seen
		cert, roots, err := g.load()
		if err == nil {
			g.cert, g.roots = cert, roots
			g.log.Info("the certificate of this node was read again", "event", "certificate_changed", "name", cert.Leaf.Subject.CommonName, "expires", cert.Leaf.NotAfter)
		} else {
			g.log.Error("the certificate files have changed and cannot be used; the old ones stay in use", "event", "certificate_bad", "err", err)
		}
	}
	return g.cert, g.roots
}

func (g *certGuard) accept(ctx context.Context, nc net.Conn) (net.Conn, string, error) {
	cert, roots := g.current()
	cfg := tlsConfig()
	cfg.Certificates = []tls.Certificate{cert}
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, roots
	return g.secure(ctx, tls.Server(nc, cfg))
}

func (g *certGuard) dial(ctx context.Context, nc net.Conn) (net.Conn, string, error) {
	cert, roots := g.current()
	cfg := tlsConfig()
	// The acceptor may name the CAs that it takes; ours is shown in any case, so that its refusal says why.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	cfg.InsecureSkipVerify = true // of the host name, with which all else goes: it is done here
	cfg.VerifyConnection = func(state tls.ConnectionState) error { return verifyAcceptor(state.PeerCertificates, roots) }
	return g.secure(ctx, tls.Client(nc, cfg))
}

// verifyAcceptor does what crypto/tls does when it dials, but for the host name.
func verifyAcceptor(chain []*x509.Certificate, roots *x509.CertPool) error {
	opt := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, c := range chain[1:] {
		opt.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(opt); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

func (g *certGuard) secure(ctx context.Context, c *tls.Conn) (net.Conn, string, error) {
	if err := handshake(ctx, c); err != nil {
		return nil, "", err
	}
	return c, c.ConnectionState().PeerCertificates[0].Subject.String(), nil // both sides require one; a renewed one has the same name
}
