package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/fleet"
)

// TestNamedToken: a token that the user has named and that the node refuses is an error, also where nothing but reading is asked for: what is shown without it would
// pass for all that there is. One that was found is left aside for that.
func TestNamedToken(t *testing.T) {
	p := playNode(t, locked)
	page, err := json.Marshal(p.page)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if given := r.Header.Get("Authorization"); given != "" && given != "Bearer "+adminToken || r.Method == http.MethodPost {
			http.Error(w, "the token is wrong", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(page)
	}))
	defer srv.Close()
	defer fleet.CloseIdle()
	addr := strings.TrimPrefix(srv.URL, "http://")
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("another-token-than-that-of-the-node\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"status"}, {"status", "--farm", "--json"}, {"status", "--quiet"}, {"locks", "--json"}, {"unlock", lockedKey, "-y"}, {"unlock", "abcdef", "-y", "--cookie", "5"},
		{"top", "--once"}, {"trace", "--for", "1ms"}, {"drain"}, {"drain", "--node", "web1"}, {"log-level", "debug"}, {"doctor", "--this-node"}, {"doctor", "--json"},
	} {
		args = append(args, "--admin", addr)
		for name, how := range map[string]struct{ args, env []string }{
			"--token-file=" + wrong: {[]string{"--token-file", wrong}, nil}, tokenVariable + "=" + wrong: {nil, []string{tokenVariable + "=" + wrong}},
		} {
			status, stdout, stderr := call(t, append(how.env, "XDG_RUNTIME_DIR="+dir), append(args, how.args...)...)
			if status != exitUsage || stdout != "" || !strings.Contains(stderr, "the node at "+addr+" does not take the token of "+name) || !strings.Contains(stderr, "admin_token_file") {
				t.Errorf("%q %s: exit status %d, %q, %q", args, name, status, stdout, stderr)
			}
		}
	}
	_, port, _ := strings.Cut(addr, ":")
	if err := os.Mkdir(filepath.Join(dir, "farmstate"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "farmstate", "admin-"+port+".token"), []byte(strings.Repeat("0", 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := call(t, []string{"XDG_RUNTIME_DIR=" + dir}, "locks", "--admin", addr); status != exitOK || !strings.Contains(stdout, "abcdef…") {
		t.Errorf("a token that was found: exit status %d, %q, %q", status, stdout, stderr)
	}
	if status, _, stderr := call(t, []string{"XDG_RUNTIME_DIR=" + dir}, "log-level", "debug", "--admin", addr); status != exitUsage || !strings.Contains(stderr, "the token is wrong") {
		t.Errorf("an action with it: exit status %d, %q", status, stderr)
	}
}
