package admin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farmstate/farmstate/cmd/farmstate/internal/event"
)

// Limits of one exchange. The answers are small and the clients are monitors,
// so all of them are far above what is needed.
const (
	maxHeader    = 16 << 10 // bytes
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
)

// Reason is why a node is not ready.
type Reason struct {
	Name string // one of a few, for machines
	Text string // for people
}

// Options say what to serve and to whom. All fields are required but Allow, HostNames, Dashboard and Events.
type Options struct {
	Network   string         // tcp, tcp4 or tcp6; empty means tcp
	Addr      string         // host:port; port 0 takes a free one
	Allow     []netip.Prefix // networks that may connect, besides loopback addresses
	HostNames []string       // names that may stand in a Host header, besides localhost and IP addresses
	Token     string         // that actions and whole session ids need; empty: nobody has it
	Logger    *slog.Logger

	// NotReady returns why the node takes no requests, or should not be relied on; nothing if it may be.
	NotReady func() []Reason
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// API has the JSON pages by the last part of their path, such as "status".
	API map[string]Page
	// Actions are POST /api/v1/ and the name.
	Actions map[string]Action
	// Dashboard has / and what lies below /assets/.
	Dashboard http.Handler
	// Events are what /api/v1/events shows.
	Events *event.Hub

	denials *denials // of newHandler
}

// Server is the admin pages of a node.
type Server struct {
	listener net.Listener
	http     http.Server
	streams  streams
	done     chan struct{} // closed when serving has ended
}

// Listen opens the address; it serves when it returns.
func Listen(opt Options) (*Server, error) {
	l, err := net.Listen(cmp.Or(opt.Network, "tcp"), opt.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		listener: &guardedListener{Listener: l, allow: opt.Allow, logger: opt.Logger, most: maxConnections},
		http: http.Server{
			ReadHeaderTimeout: readTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			ConnContext:       withConn,
			ErrorLog:          slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
		},
		streams: streams{quit: make(chan struct{})},
		done:    make(chan struct{}),
	}
	s.http.Handler = newHandler(&opt, &s.streams)
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			opt.Logger.Error("the admin pages have stopped; sessions are served all the same. They come back when the node is started again", "event", "admin_stopped", "err", err)
		}
	}()
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr {
	return s.listener.Addr()
}

// Shutdown stops accepting, lets answers that have begun finish until ctx
// ends, and cuts what is left. It returns when serving has ended. It may be called more than once.
func (s *Server) Shutdown(ctx context.Context) {
	s.streams.end()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // The listener is closed already, which is all that could fail.
	}
	<-s.done
}
