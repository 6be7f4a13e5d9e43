// Package token keeps the admin token of a node that was given none: the node makes one when it starts, and leaves it in a file that only its own account can
// read, where commands of that account find it by the port of the admin pages. So an action always needs a token, and on one's own machine nobody has to care.
package token

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// bytes of a token that is made here.
const length = 32

// folders are where tokens may be, the best first: the folder that the service manager has made for this service, that of the login, that of the account, and
// where the service of this machine has its own.
func folders(env func(string) string) []string {
	var all []string
	if dir := env("RUNTIME_DIRECTORY"); dir != "" {
		all = append(all, dir)
	}
	if dir := env("XDG_RUNTIME_DIR"); dir != "" {
		all = append(all, filepath.Join(dir, "farmstate"))
	}
	if dir, err := os.UserCacheDir(); err == nil {
		all = append(all, filepath.Join(dir, "farmstate"))
	}
	if runtime.GOOS == "windows" { // where anybody may make a folder of that name
		return all
	}
	return append(all, "/run/farmstate")
}

// fileName is the name of the file for the admin pages at this address; empty if it has no port.
func fileName(admin string) string {
	_, port, err := net.SplitHostPort(admin)
	if err != nil || port == "" {
		return ""
	}
	return "admin-" + filepath.Base(port) + ".token"
}

// New makes a token.
func New() string {
	raw := make([]byte, length)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// Keep writes the token for the admin pages at this address to a file, whose name it returns. An error says that there is no place for it: then nobody but the node
// knows it.
func Keep(token, admin string, env func(string) string) (file string, err error) {
	return keepIn(folders(env), fileName(admin), token)
}

func keepIn(dirs []string, name, token string) (file string, err error) {
	var errs []error
	for _, dir := range dirs {
		file = filepath.Join(dir, name)
		if err := write(dir, file, token); err != nil {
			errs = append(errs, err)
			continue
		}
		return file, nil
	}
	return "", errors.Join(errs...)
}

// write replaces the file as a whole, so that nobody reads half a token, and does not follow a link that somebody may have laid there.
func write(dir, file, token string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	t, err := os.CreateTemp(dir, ".token-*") // readable by the own account alone
	if err != nil {
		return err
	}
	_, err = t.WriteString(token + "\n")
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}

// Remove removes the file of a token that was made, if it still holds that token.
func Remove(file, token string) {
	if text, err := os.ReadFile(file); err == nil && string(text) == token+"\n" {
		_ = os.Remove(file) // it says nothing to anybody once the node has ended
	}
}

// Find returns the tokens that nodes of this machine have left for the admin pages at this address: none, one, or several if accounts or earlier nodes have left
// some. For an address of another machine there is none: files are named by the port alone, and that machine would be told the token of a node here.
func Find(admin string, env func(string) string) []string {
	var all []string
	name := fileName(admin)
	if name == "" || !here(admin) {
		return nil
	}
	for _, dir := range folders(env) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue // not there, or not for this account
		}
		if token := string(text); len(token) == 2*length+1 {
			all = append(all, token[:2*length])
		}
	}
	return all
}

// lookupTime bounds the look-up of a host name.
const lookupTime = 2 * time.Second

// here reports whether an address is one of this machine.
func here(admin string) bool {
	host, _, err := net.SplitHostPort(admin)
	if err != nil {
		return false
	}
	if own, err := os.Hostname(); host == "" || strings.EqualFold(host, "localhost") || err == nil && strings.EqualFold(host, own) {
		return true
	}
	ips := []netip.Addr{}
	if ip, err := netip.ParseAddr(host); err == nil {
		ips = append(ips, ip)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
		defer cancel()
		ips, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", host) // a name that is not known is nobody's
	}
	var own []netip.Addr
	addrs, _ := net.InterfaceAddrs() // without them there are the loopback addresses
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, ip.Unmap())
			}
		}
	}
	for _, ip := range ips {
		if ip = ip.Unmap().WithZone(""); !ip.IsLoopback() && !ip.IsUnspecified() && !slices.Contains(own, ip) {
			return false
		}
	}
	return len(ips) > 0
}

// Missing says why there is no token for the admin pages at this address, and what to do.
func Missing(admin string) error {
	return fmt.Errorf("no admin token for %s is known here: give --token-file the file of the node's option admin_token_file, or, if it has none, run this as the account that runs the node", admin)
}
