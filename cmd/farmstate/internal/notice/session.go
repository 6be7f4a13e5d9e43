package notice

import (
	"strings"

	"github.com/farmstate/farmstate/engine/appkey"
)

const (
	// idShown is how much of a session id is shown: enough to find the session
	// of a user who reports trouble, not enough to take it over.
	idShown = 6
	// maxShown bounds what is shown of an application, in bytes: a client can
	// make up any.
	maxShown = 256
)

// A Session is the parts of a key as they may be shown.
type Session struct {
	App  string `json:"application"`
	Hash string `json:"hash,omitempty"`
	ID   string `json:"session"` // its beginning
}

// SessionOf reads a key. One that no ASP.NET client builds is taken for a
// session id altogether.
func SessionOf(key string) Session {
	parts, ok := appkey.Split([]byte(key))
	if !ok {
		return Session{ID: shorten(key, idShown)}
	}
	return Session{
		App:  shorten(string(parts.App), maxShown),
		Hash: shorten(string(parts.Hash), maxShown),
		ID:   shorten(string(parts.ID), idShown),
	}
}

// Application is the application id and the hash as they stand in the key.
func (s Session) Application() string {
	if s.App == "" {
		return ""
	}
	return s.App + "(" + s.Hash + ")"
}

// shorten cuts text after n bytes and makes it valid UTF-8.
func shorten(text string, n int) string {
	cut := ""
	if len(text) > n {
		text, cut = text[:n], "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD") + cut
}
