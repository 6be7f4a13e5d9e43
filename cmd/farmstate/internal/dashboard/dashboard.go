// Package dashboard is the page that shows a farm in a browser: files that are part of the binary, and need nothing from elsewhere. See docs/dashboard.md.
package dashboard

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// types are the content types by the ends of names. They are listed here because those of the system differ from machine to machine, and a browser runs no script
// whose type is wrong.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// trusted is a second policy beside that of the admin pages: a browser that knows it lets no script turn text into markup or code, whatever the text is.
const trusted = "require-trusted-types-for 'script'; trusted-types 'none'"

// Handler serves / and what lies below /assets/. It sets the content type, and a policy in addition to that of the admin pages, which also say that nothing is to be
// kept.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "assets/index.html"
		}
		body, err := fs.ReadFile(assets, name) // refuses names that are no plain paths
		kind, known := types[path.Ext(name)]
		if err != nil || !known {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Add("Content-Security-Policy", trusted)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}
