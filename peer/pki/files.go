package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	pemCert = "CERTIFICATE"
	pemKey  = "PRIVATE KEY"
)

// writePair writes a certificate and its key. If either file is there already nothing is changed.
func writePair(certFile string, der []byte, keyFile string, key *ecdsa.PrivateKey) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(certFile), filepath.Dir(keyFile)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(certFile); err == nil {
		return taken(certFile)
	}
	if err := writeNew(keyFile, 0o600, &pem.Block{Type: pemKey, Bytes: pkcs8}); err != nil {
		return err
	}
	if err := writeNew(certFile, 0o644, &pem.Block{Type: pemCert, Bytes: der}); err != nil {
		return errors.Join(err, os.Remove(keyFile))
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(name string, mode fs.FileMode, block *pem.Block) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return taken(name)
	}
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(f, block), f.Sync(), f.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func taken(name string) error {
	return fmt.Errorf("%s is there already and is not overwritten: other nodes may depend on it; move it away, or choose another name or folder", name)
}

// ReadCert reads the first certificate of a PEM file.
func ReadCert(name string) (*x509.Certificate, error) {
	block, err := readPEM(name, pemCert)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cert, nil
}

func readKey(name string) (*ecdsa.PrivateKey, error) {
	block, err := readPEM(name, pemKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key; farmstate cert makes one", name)
	}
	return ec, nil
}

// readPEM is the content of the first block of a kind in a file.
func readPEM(name, kind string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("%s has no PEM block %q; certificate and key are two files, so it may be the other one", name, kind)
		}
		if block.Type == kind {
			return block.Bytes, nil
		}
	}
}
