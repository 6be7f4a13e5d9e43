package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/config"
	"github.com/farmstate/farmstate/peer/pki"
)

// certCmd is farmstate cert: a small CA for the links between nodes.
type certCmd struct {
	CA   certCACmd   `cmd:"" name:"ca" help:"Make a certificate authority for a farm."`
	Node certNodeCmd `cmd:"" help:"Make the certificate of a node."`
	Show certShowCmd `cmd:"" help:"Show what a certificate says."`
}

// certCACmd is farmstate cert ca.
type certCACmd struct {
	Dir string `name:"dir" required:"" placeholder:"DIR" help:"Folder for the CA and the certificates; made if it is not there."`
}

// Help is shown below the summary of the command.
func (*certCACmd) Help() string {
	return "The CA is two files: ca.pem, which every node needs, and ca.key, which no node needs and which is the farm's master key: " +
		"whoever has it can make certificates. Keep the folder where certificates are made, and copy to each node its own files and ca.pem.\n\n" +
		"A farm can do without certificates: nodes that are given the same secret (--peer-secret-file) trust each other too."
}

// Run makes a CA.
func (c *certCACmd) Run(a *app) error {
	ca, err := pki.NewCA(c.Dir, time.Now())
	if err != nil {
		return usageError(err)
	}
	return a.say(
		fmt.Sprintf("%s: the CA's certificate, for every node; valid until %s", filepath.Join(c.Dir, pki.CAFile), day(ca.Cert.NotAfter)),
		fmt.Sprintf("%s: its key; keep it here, and no copy on any node", filepath.Join(c.Dir, pki.CAKeyFile)),
		fmt.Sprintf("next: farmstate cert node --dir %s NAME", c.Dir),
	)
}

// certNodeCmd is farmstate cert node.
type certNodeCmd struct {
	Dir  string   `name:"dir" required:"" placeholder:"DIR" help:"Folder with the CA, as farmstate cert ca has made it."`
	Host []string `name:"host" sep:"none" placeholder:"HOST" help:"Host name or IP address to write into the certificate; may be repeated. Nodes do not compare it with anything."`
	Days int      `name:"days" default:"825" help:"How long it is valid."`
	Name string   `arg:"" help:"Name of the node, for people: it is in the certificate and in the names of the files."`
}

// Help is shown below the summary of the command.
func (*certNodeCmd) Help() string {
	return "Any certificate of the farm's CA makes a node of the farm, wherever it is used: host names are not compared, so that nodes can move and " +
		"find each other by address.\n\n" +
		"A running node takes up a changed certificate with the next link, without a restart. To renew one, make it under the same name in a copy " +
		"of the CA's folder without the old files, and put it in place of the old."
}

// Run makes the certificate of a node.
func (c *certNodeCmd) Run(a *app) error {
	if c.Days < 1 || c.Days > 36500 {
		return usageError(fmt.Errorf("--days: \"%d\" is out of range; accepted: 1 to 36500", c.Days))
	}
	ca, err := pki.LoadCA(c.Dir)
	if err != nil {
		return usageError(err)
	}
	cert, err := pki.IssueNode(ca, c.Dir, c.Name, c.Host, time.Now(), time.Duration(c.Days)*24*time.Hour)
	if err != nil {
		return usageError(err)
	}
	certFile, keyFile := pki.NodeFiles(c.Dir, c.Name)
	return a.say(
		fmt.Sprintf("%s: the certificate of %s; valid until %s", certFile, c.Name, day(cert.NotAfter)),
		fmt.Sprintf("%s: its key", keyFile),
		fmt.Sprintf("on %s: farmstate serve --peer-ca ca.pem --peer-cert %s --peer-key %s", c.Name, filepath.Base(certFile), filepath.Base(keyFile)),
	)
}

// certShowCmd is farmstate cert show.
type certShowCmd struct {
	File string `arg:"" help:"Certificate (PEM)."`
	JSON bool   `name:"json" help:"Write one JSON object."`
}

// certReport is what a certificate says, for programs.
type certReport struct {
	File      string    `json:"file"`
	Kind      string    `json:"kind"` // node, ca
	Name      string    `json:"name"`
	Issuer    string    `json:"issuer"`
	Hosts     []string  `json:"hosts"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	State     string    `json:"state"`  // valid, not_valid_yet, expired
	Serial    string    `json:"serial"` // hexadecimal
}

// Run shows a certificate.
func (c *certShowCmd) Run(a *app) error {
	cert, err := pki.ReadCert(c.File)
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		err = config.OpenProblem(c.File, err)
	}
	if err != nil {
		return usageError(err)
	}
	kind := "node"
	if cert.IsCA {
		kind = "CA"
	}
	hosts := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, net.IP.String(ip))
	}
	state := "valid"
	switch now := time.Now(); {
	case now.Before(cert.NotBefore):
		state = "not valid yet"
	case now.After(cert.NotAfter):
		state = "expired"
	}
	if c.JSON {
		return writeJSON(a.stdout, certReport{
			c.File, strings.ToLower(kind), cert.Subject.CommonName, cert.Issuer.CommonName, append([]string{}, hosts...), cert.NotBefore.UTC(), cert.NotAfter.UTC(),
			strings.ReplaceAll(state, " ", "_"), fmt.Sprintf("%x", cert.SerialNumber),
		})
	}
	return a.say(
		fmt.Sprintf("kind      %s", kind),
		fmt.Sprintf("name      %q", cert.Subject.CommonName),
		fmt.Sprintf("issuer    %q", cert.Issuer.CommonName),
		fmt.Sprintf("hosts     %q", hosts),
		fmt.Sprintf("validity  %s to %s: %s", day(cert.NotBefore), day(cert.NotAfter), state),
		fmt.Sprintf("serial    %x", cert.SerialNumber),
	)
}

// say writes lines to standard output.
func (a *app) say(lines ...string) error {
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
