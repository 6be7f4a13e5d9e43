package dashboard

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// maxAssets is how large all assets are together at most, in bytes: the page is to come quickly over a bad line, in the middle of the night.
const maxAssets = 120 << 10

func get(t *testing.T, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w.Result()
}

// each calls look with each asset.
func each(t *testing.T, look func(name, text string)) {
	t.Helper()
	err := fs.WalkDir(assets, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(assets, name)
		look(name, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestServed asks for each asset, and for what there is not.
func TestServed(t *testing.T) {
	size := 0
	each(t, func(name, text string) {
		size += len(text)
		resp := get(t, "/"+name)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != types[path.Ext(name)] || resp.ContentLength != int64(len(text)) && resp.Header.Get("Content-Length") == "" {
			t.Errorf("%s: %s %v", name, resp.Status, resp.Header)
		}
	})
	if size > maxAssets {
		t.Errorf("the assets have %d bytes, more than %d", size, maxAssets)
	}
	if resp := get(t, "/"); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Content-Security-Policy") != trusted {
		t.Errorf("/: %s %v", resp.Status, resp.Header)
	}
	for _, target := range []string{"/assets/", "/assets", "/assets/nothing.js", "/dashboard.go", "/assets/../dashboard.go", "/assets//main.js"} {
		if resp := get(t, target); resp.StatusCode != 404 {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}

// TestStrict: nothing in the assets needs more than the content security policy allows, comes from elsewhere, or makes markup of texts.
func TestStrict(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"makes markup of text":      regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc`),
		"makes code of text":        regexp.MustCompile(`\beval\(|new Function|javascript:`),
		"is a style in the page":    regexp.MustCompile(`<style|\sstyle=|[{,]\s*style:`),
		"is a handler in the page":  regexp.MustCompile(`<[^>]*\son[a-z]+=`),
		"is a script in the page":   regexp.MustCompile(`<script[^>]*>[^<]`),
		"comes from elsewhere":      regexp.MustCompile(`(src|href|url|import|from)\s*[=(]?\s*['"(]?(https?:)?//`),
		"outlives the tab":          regexp.MustCompile(`localStorage|indexedDB|document\.cookie`),
		"shows the log of a script": regexp.MustCompile(`console\.`),
	}
	imported := regexp.MustCompile(`from '\./([a-z]+\.js)'`)
	each(t, func(name, text string) {
		for what, pattern := range forbidden {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s: %q %s", name, found, what)
			}
		}
		for _, m := range imported.FindAllStringSubmatch(text, -1) {
			if _, err := fs.Stat(assets, "assets/"+m[1]); err != nil {
				t.Errorf("%s imports %s: %v", name, m[1], err)
			}
		}
	})
}

// TestElements: what scripts look for by its id is in the page, and nothing is there twice.
func TestElements(t *testing.T) {
	page, err := fs.ReadFile(assets, "assets/index.html")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		if ids[m[1]]++; ids[m[1]] > 1 {
			t.Errorf("two elements have the id %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:aria-[a-z]+|for)="([a-z -]+)"`).FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(m[0], "labelledby") || strings.Contains(m[0], "describedby") {
			for id := range strings.FieldsSeq(m[1]) {
				if ids[id] == 0 {
					t.Errorf("%s names no element", m[0])
				}
			}
		}
	}
	each(t, func(name, text string) {
		for _, m := range regexp.MustCompile(`byId\('([^']+)'\)`).FindAllStringSubmatch(text, -1) {
			if ids[m[1]] == 0 {
				t.Errorf("%s looks for the element %s, which is not there", name, m[1])
			}
		}
	})
}
