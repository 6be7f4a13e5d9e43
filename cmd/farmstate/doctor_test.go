package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/doctor"
)

// examine runs farmstate doctor against a node.
func examine(t *testing.T, p *process, args ...string) (status int, r *doctor.Report) {
	t.Helper()
	env := []string{"FARMSTATE_ADMIN_TOKEN_FILE=" + tokenFile(t)}
	status, stdout, stderr := execute(t, env, append([]string{"doctor", "--json", "--admin", p.admin}, args...)...)
	if stderr != "" {
		t.Errorf("standard error: %s", stderr)
	}
	r = new(doctor.Report)
	if err := json.Unmarshal([]byte(stdout), r); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return status, r
}

// found returns what a check has found that is at least as grave.
func found(r *doctor.Report, check string, severities ...doctor.Severity) (all []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Check == check && slices.Contains(severities, f.Severity) {
			all = append(all, f)
		}
	}
	return all
}

// until runs the doctor until a report is as wanted.
func until(t *testing.T, p *process, wanted func(*doctor.Report) bool, args ...string) (int, *doctor.Report) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		status, r := examine(t, p, args...)
		if wanted(r) {
			return status, r
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in the report: %+v", r.Findings)
		}
	}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// part is an address that the ready line of a node has.
func (p *process) part(name string) string {
	for field := range strings.FieldsSeq(p.ready) {
		if addr, ok := strings.CutPrefix(field, name+"="); ok {
			return addr
		}
	}
	p.t.Fatalf("no %s in %q", name, p.ready)
	return ""
}

// TestDoctorSecret: from either node the doctor finds that the secrets of two nodes differ, whether one has the other as its peer or shall join it, and names both
// ends.
func TestDoctorSecret(t *testing.T) {
	one, other := secretFile(t, "the secret of the farm: 0123456789"), secretFile(t, "quite another secret: 0123456789")
	for _, way := range []string{"peer", "join"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			first := serve(t, "--peer-secret-file", one, "--gossip-listen", "127.0.0.1:0")
			if _, page := first.get("/api/v1/facts"); !strings.Contains(page, `"whole": false`) || strings.Contains(page, "secret_mark") {
				t.Errorf("without the token: %s", page)
			}
			args, port := []string{"--peer", first.part("peer")}, "peer"
			if way == "join" {
				args, port = []string{"--join", first.part("gossip"), "--gossip-listen", "127.0.0.1:0"}, "gossip"
			}
			second := serve(t, append(args, "--peer-secret-file", other)...)
			for _, p := range []*process{first, second} {
				status, r := until(t, p, func(r *doctor.Report) bool { return len(found(r, "peer-secret", doctor.Problem)) > 0 })
				if status != exitFailed {
					t.Errorf("exit status %d", status)
				}
				f := found(r, "peer-secret", doctor.Problem)[0]
				text := f.What + strings.Join(f.Do, " ")
				if !holds(text, []string{"secrets of", "differ", p.part(port), "127.0.0.1", "peer_secret_file"}) {
					t.Errorf("%s says: %+v", p.admin, f)
				}
				if p == second && !strings.Contains(f.What, first.part(port)) {
					t.Errorf("the other end is not named: %s", f.What)
				}
				if strings.Contains(text, "0123456789") {
					t.Error("a secret is shown")
				}
			}
		})
	}
}

// TestDoctorSites: two web servers, each with a node of its own, give one site different ids. The node that has a session is never asked for it under the other key, and
// the doctor finds it all the same; then, at one node, as a near miss.
func TestDoctorSites(t *testing.T) {
	secret := secretFile(t, "the secret of the farm: 0123456789")
	first := serve(t, "--peer-secret-file", secret, "--gossip-listen", "127.0.0.1:0")
	second := serve(t, "--peer-secret-file", secret, "--gossip-listen", "127.0.0.1:0", "--join", first.part("gossip"))
	_, r := until(t, first, func(r *doctor.Report) bool { return strings.Contains(r.About, "2 nodes") })
	if all := append(found(r, "split-application", doctor.Problem, doctor.Warning, doctor.Note), found(r, "near-miss", doctor.Problem)...); len(all) > 0 {
		t.Fatalf("found before there was anything: %+v", all)
	}
	site2 := strings.Replace(site1, "/1/", "/2/", 1)
	dial(t, first.state).do(put("bought: one book"))
	web2 := dial(t, second.state)
	if status, _ := web2.do(get(site2)); !strings.Contains(status, "404") {
		t.Fatalf("the second web server got %q", status)
	}
	web2.do(strings.Replace(put("an empty cart"), target(site1), target(site2), 1))
	status, r := until(t, second, func(r *doctor.Report) bool { return len(found(r, "split-application", doctor.Problem)) > 0 })
	if status != exitFailed {
		t.Errorf("exit status %d", status)
	}
	f := found(r, "split-application", doctor.Problem)[0]
	if !holds(f.What+strings.Join(f.Do, " "), []string{site1, site2, "Site ids differ", first.admin, second.admin, "z445nn", "[[alias]]"}) || strings.Contains(f.What, "z445nnecaiiqye55asxwtm55") {
		t.Errorf("says: %+v", f)
	}
	dial(t, first.state).do(get(site2)) // moves there; now both are at one node
	dial(t, first.state).do(get(strings.Replace(site1, "/1/", "/3/", 1)))
	_, r = until(t, second, func(r *doctor.Report) bool { return len(found(r, "near-miss", doctor.Problem)) > 0 })
	if f := found(r, "near-miss", doctor.Problem)[0]; !holds(f.What, []string{"/3/", "asked for"}) {
		t.Errorf("says: %+v", f)
	}
}

// TestDoctorAlone: where no node runs the machine is checked, and who has its ports is said.
func TestDoctorAlone(t *testing.T) {
	p := serve(t)
	env := []string{"FARMSTATE_LISTEN=" + p.state, "FARMSTATE_PEER_LISTEN=127.0.0.1:0", "FARMSTATE_ADMIN=127.0.0.1:1"}
	status, stdout, stderr := execute(t, env, "doctor")
	if status != exitFailed || stderr != "" || !holds(stdout, []string{"no node answers at 127.0.0.1:1", "port-open", p.state, "PROBLEMS"}) {
		t.Errorf("exit status %d, %q:\n%s", status, stderr, stdout)
	}
	for line := range strings.Lines(stdout) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wide: %q", line)
		}
	}
	for _, args := range [][]string{{"doctor", "--admin", "nowhere"}, {"doctor", "--farm", "--this-node"}, {"doctor", "extra"}} {
		if status, _, stderr := execute(t, nil, args...); status != exitUsage || stderr == "" {
			t.Errorf("%q: exit status %d, %q", args, status, stderr)
		}
	}
}
