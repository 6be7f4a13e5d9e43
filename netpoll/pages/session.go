package pages

import "bytes"

// Session is what a page sees. It belongs to the page and must not be used after
// it.
type Session struct {
	// ID is the session id.
	ID string
	// Cookie is the lock the page holds; 0 if it holds none.
	Cookie uint32
	// Started says that Session_Start ran on this page.
	Started bool

	stored         bool // the server has it
	items          []byte
	timeout        int32
	changed        bool
	abandoned      bool
	unserialisable bool
}

// Items returns what the session holds. Aliases the session; Set keeps it valid.
func (s *Session) Items() []byte { return s.items }

// Set stores items in the session.
func (s *Session) Set(items []byte) { s.items, s.changed = bytes.Clone(items), true }

// Timeout returns the sliding life in minutes.
func (s *Session) Timeout() int32 { return s.timeout }

// SetTimeout changes the sliding life.
func (s *Session) SetTimeout(minutes int32) { s.timeout, s.changed = minutes, true }

// Abandon removes the session at the end of the page.
func (s *Session) Abandon() { s.abandoned = true }

// SetUnserialisable stores something that cannot be saved.
func (s *Session) SetUnserialisable() { s.changed, s.unserialisable = true, true }
