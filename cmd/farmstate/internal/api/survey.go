package api

// Session is a session as it may be shown.
type Session struct {
	App  string `json:"application"`
	Hash string `json:"hash,omitempty"`
	ID   string `json:"session"`       // its beginning
	Key  string `json:"key,omitempty"` // all of it, for callers with the token
}

// Survey is the page /api/v1/survey: the sessions of a node by what operators ask for. It is made by walking round all sessions, while somebody looks at it; right
// after the first look there is none yet.
type Survey struct {
	Ready    bool    `json:"ready"` // there is one
	Age      float64 `json:"age_seconds"`
	Sessions int64   `json:"sessions"`
	Locked   int64   `json:"locked"`

	Locks   []Lock  `json:"locks"`   // the longest held, longest first
	Largest []Sized `json:"largest"` // by content
	Sizes   []Size  `json:"sizes"`   // sessions by content

	Apps   []App `json:"applications"` // by sessions
	Others *App  `json:"others,omitempty"`

	HotSessions []Hot    `json:"hot_sessions"`
	HotApps     []HotApp `json:"hot_applications"`
}

// Lock is a lock that is held.
type Lock struct {
	Session
	Cookie  uint32  `json:"cookie"`
	Age     float64 `json:"age_seconds"`
	Client  string  `json:"client,omitempty"` // address of the web server that took it; empty if it came with the session from another node
	Waiting int     `json:"waiting"`          // requests
}

// Sized is a session and its size.
type Sized struct {
	Session
	Bytes   int64  `json:"bytes"`
	Minutes uint32 `json:"timeout_minutes"`
	Locked  bool   `json:"locked"`
}

// Size is how many sessions have a content of at most so many bytes, and more than half of that.
type Size struct {
	Max   int64 `json:"max_bytes"`
	Count int64 `json:"count"`
}

// App is the sessions of one application.
type App struct {
	App        string `json:"application"`
	Hash       string `json:"hash,omitempty"`
	Sessions   int64  `json:"sessions"`
	Bytes      int64  `json:"bytes"`
	Locked     int64  `json:"locked"`
	Old        int64  `json:"old"`        // whose last request was more than a minute ago
	NeverRead  int64  `json:"never_read"` // of those, that nobody has asked for since the request that created them
	MinMinutes uint32 `json:"min_timeout_minutes"`
	MaxMinutes uint32 `json:"max_timeout_minutes"`
}

// Hot is a session with many requests.
type Hot struct {
	Session
	PerSecond float64 `json:"requests_per_second"`
}

// HotApp is an application with many requests.
type HotApp struct {
	App       string  `json:"application"`
	Hash      string  `json:"hash,omitempty"`
	PerSecond float64 `json:"requests_per_second"`
}
