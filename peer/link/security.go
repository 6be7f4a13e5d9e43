package link

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
)

// Security says how nodes recognise each other. Exactly one of its fields is set. All nodes of a farm need the same.
type Security struct {
	Plain        bool          // not at all, and in clear
	Secret       []byte        // TLS, and each side proves that it has this secret, at least MinSecret bytes
	Certificates *Certificates // TLS, and each side has a certificate of this CA
}

// Certificates names PEM files. They are read again when they change.
type Certificates struct {
	CA   string // certificates of the CA
	Cert string // ours, with those between it and the CA, if there are any
	Key  string // of ours
}

// MinSecret is how many bytes a secret must have. Whoever stands between two nodes can, by answering one's dialling, get what is needed to try out
// secrets in peace; so it has to be one that cannot be guessed. See docs/peer-protocol.md.
const MinSecret = 16

func (s *Security) validate() error {
	n := 0
	for _, set := range []bool{s.Plain, s.Secret != nil, s.Certificates != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("link: Security must be one of a secret, certificates, and plain")
	}
	if s.Secret != nil && len(s.Secret) < MinSecret {
		return fmt.Errorf("the secret has %d bytes, which can be guessed; it needs at least %d, such as the output of: openssl rand -base64 32", len(s.Secret), MinSecret)
	}
	return nil
}

// guard makes connections secure, and knows who is at the other end.
type guard interface {
	// encrypted reports whether links are TLS.
	encrypted() bool
	// accept and dial do what comes between a connection and the Hello. nc has a deadline, and is closed by the caller. The identity is what a node's name
	// is bound to as long as a link to it lives; "" if there is none.
	accept(ctx context.Context, nc net.Conn) (secured net.Conn, identity string, err error)
	dial(ctx context.Context, nc net.Conn) (secured net.Conn, identity string, err error)
}

// newGuard reads what s names. Requires that s is valid.
func newGuard(s *Security, log *slog.Logger) (guard, error) {
	switch {
	case s.Secret != nil:
		return newSecretGuard(s.Secret)
	case s.Certificates != nil:
		return newCertGuard(s.Certificates, log)
	}
	return plainGuard{}, nil
}

// refusal is an error with the reason for which the connection is closed.
type refusal struct {
	reason CloseReason
	err    error
}

func (r *refusal) Error() string {
	if r.err == nil {
		return r.reason.String()
	}
	return r.reason.String() + ": " + r.err.Error()
}
func (r *refusal) Unwrap() error { return r.err }

func refuse(reason CloseReason, err error) error { return &refusal{reason, err} }

type plainGuard struct{}

func (plainGuard) encrypted() bool { return false }

func (plainGuard) accept(_ context.Context, nc net.Conn) (net.Conn, string, error) {
	return nc, "", nil
}

func (plainGuard) dial(_ context.Context, nc net.Conn) (net.Conn, string, error) { return nc, "", nil }

// tlsConfig is what all our TLS has in common.
func tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		SessionTicketsDisabled: true, // links live long; and a resumed one would not show its certificate again
		// Records grow only after a while otherwise, for the sake of browsers.
		DynamicRecordSizingDisabled: true,
	}
}

// alpn keeps TLS clients that look for something else from getting far.
const alpn = "farmstate/1"

// handshake does TLS, and says what kind of failure it was.
func handshake(ctx context.Context, c *tls.Conn) error {
	err := c.HandshakeContext(ctx)
	if err == nil {
		return nil
	}
	return tlsRefusal(err)
}

// tlsRefusal finds the reason of a failed handshake, or of a first reading behind it: with TLS 1.3 the dialler learns only there that its certificate
// was refused.
func tlsRefusal(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refuse(CloseCertificate, err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return refuse(CloseCertificate, err) // an alert: there is little else that we could disagree about
	}
	return refuse(failure(err, CloseTLS), err)
}

// deriveKey makes the key of the proofs from the secret.
func deriveKey(secret []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "farmstate peer link 1", sha256.Size)
}
