package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"time"
)

// secretGuard is TLS with certificates that nobody has signed, and a proof of the secret over it.
//
//	dialler                                acceptor
//	TLS 1.3, both with a certificate made at start
//	proof(dialler) ----------------------> right? otherwise says no and closes
//	right? <------------------------------ yes, proof(acceptor)
//
// A proof is an HMAC over the role and what TLS exports of this very connection. So one that terminates TLS in the middle has two connections with two
// different exports and can pass on neither proof, and a proof sent back to its sender has the wrong role.
//
// The dialler proves first: whoever can connect to a node gets nothing from it but a no, so that it can try one secret for each connection. What is left is
// that one who answers a node's dialling, in place of the node that it wanted, gets a proof and can try secrets on it in peace. Hence MinSecret.
//
// Invariant: that the secrets differ shows on both sides as CloseSecret.
type secretGuard struct {
	key  []byte
	cert tls.Certificate
}

// answerSize is the acceptor's yes or no, and its proof or zeros.
const answerSize = 1 + sha256.Size

// exportLabel names what TLS exports for us.
const exportLabel = "EXPORTER-farmstate-peer-link"

// The roles in a proof.
const (
	roleDialler  = "dialler"
	roleAcceptor = "acceptor"
)

func newSecretGuard(secret []byte) (*secretGuard, error) {
	key, err := deriveKey(secret)
	if err != nil {
		return nil, err
	}
	cert, err := ephemeralCert()
	if err != nil {
		return nil, err
	}
	return &secretGuard{key, cert}, nil
}

func (*secretGuard) encrypted() bool { return true }

func (g *secretGuard) accept(ctx context.Context, nc net.Conn) (net.Conn, string, error) {
	cfg := tlsConfig()
	cfg.Certificates = []tls.Certificate{g.cert}
	cfg.ClientAuth = tls.RequireAnyClientCert
	c := tls.Server(nc, cfg)
	if err := handshake(ctx, c); err != nil {
		return nil, "", err
	}
	var theirs [sha256.Size]byte
	if _, err := io.ReadFull(c, theirs[:]); err != nil {
		return nil, "", tlsRefusal(err)
	}
	want, err := g.proof(c, roleDialler)
	if err != nil {
		return nil, "", refuse(CloseTLS, err)
	}
	var answer [answerSize]byte
	right := subtle.ConstantTimeCompare(theirs[:], want) == 1
	if right {
		mine, err := g.proof(c, roleAcceptor)
		if err != nil {
			return nil, "", refuse(CloseTLS, err)
		}
		answer[0] = 1
		copy(answer[1:], mine)
	}
	_, err = c.Write(answer[:])
	if !right {
		return nil, "", refuse(CloseSecret, nil)
	}
	if err != nil {
		return nil, "", refuse(failure(err, CloseTLS), err)
	}
	return c, certIdentity(c), nil
}

func (g *secretGuard) dial(ctx context.Context, nc net.Conn) (net.Conn, string, error) {
	cfg := tlsConfig()
	cfg.Certificates = []tls.Certificate{g.cert}
	cfg.InsecureSkipVerify = true // the proof shows who it is
	c := tls.Client(nc, cfg)
	if err := handshake(ctx, c); err != nil {
		return nil, "", err
	}
	mine, err := g.proof(c, roleDialler)
	if err != nil {
		return nil, "", refuse(CloseTLS, err)
	}
	if _, err := c.Write(mine); err != nil {
		return nil, "", refuse(failure(err, CloseTLS), err)
	}
	var answer [answerSize]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return nil, "", tlsRefusal(err)
	}
	want, err := g.proof(c, roleAcceptor)
	if err != nil {
		return nil, "", refuse(CloseTLS, err)
	}
	if answer[0] != 1 || subtle.ConstantTimeCompare(answer[1:], want) != 1 {
		return nil, "", refuse(CloseSecret, nil)
	}
	return c, certIdentity(c), nil
}

// proof is what the side with this role sends. Requires that the handshake of c is complete.
func (g *secretGuard) proof(c *tls.Conn, role string) ([]byte, error) {
	state := c.ConnectionState()
	exported, err := state.ExportKeyingMaterial(exportLabel, nil, 32)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, g.key)
	h.Write([]byte(role))
	h.Write([]byte{0})
	h.Write(exported)
	return h.Sum(nil), nil
}

// certIdentity is the other side's certificate, which lives as long as its process.
func certIdentity(c *tls.Conn) string {
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw) // both sides require one
	return string(sum[:])
}

// ephemeralCert is a certificate that says nothing. Its key lives as long as the process.
func ephemeralCert() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "farmstate"},
		NotBefore:    time.Unix(0, 0), // nobody looks at it
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
