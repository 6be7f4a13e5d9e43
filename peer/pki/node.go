package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// nodeName is what a node may be called: it becomes the name of files.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// hostName is a host name as DNS has it, or with a leading wildcard.
var hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// IssueNode makes a certificate for a node and writes it, with its key, to dir. The name is for people. So are the hosts, names or IP addresses: nodes do
// not compare them with anything, see docs/peer-protocol.md. The validity is cut to that of the CA.
func IssueNode(ca *CA, dir, name string, hosts []string, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	if !nodeName.MatchString(name) || name == "ca" {
		return nil, fmt.Errorf("%q cannot be the name of a node; accepted: letters, digits, dots, hyphens and underscores, and not ca", name)
	}
	if validity <= 0 {
		return nil, fmt.Errorf("a certificate that is valid for %v is of no use", validity)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, // every node dials and is dialled
	}
	if template.NotAfter.After(ca.Cert.NotAfter) {
		template.NotAfter = ca.Cert.NotAfter
	}
	if !now.Before(template.NotAfter) {
		return nil, fmt.Errorf("the CA's certificate has expired on %s; make another CA in another folder", ca.Cert.NotAfter.Format(time.DateOnly))
	}
	if hostName.MatchString(name) && !slices.Contains(hosts, name) {
		template.DNSNames = append(template.DNSNames, name)
	}
	for _, host := range hosts {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else if hostName.MatchString(host) && len(host) <= 253 {
			template.DNSNames = append(template.DNSNames, host)
		} else {
			return nil, fmt.Errorf("%q is neither a host name nor an IP address", host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	certFile, keyFile := NodeFiles(dir, name)
	return cert, writePair(certFile, der, keyFile, key)
}

// NodeFiles are the files of a node's certificate and key.
func NodeFiles(dir, name string) (cert, key string) {
	return filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
}
