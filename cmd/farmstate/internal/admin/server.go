package admin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of one exchange. The answers are small and the clients are monitors,
// so all of them are far above what is needed.
const (
	maxHeader    = 16 << 10 // bytes
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
)

// Options say what to serve and to whom. All fields are required but Allow
// and HostNames.
type Options struct {
	Network   string         // tcp, tcp4 or tcp6; empty means tcp
	Addr      string         // host:port; port 0 takes a free one
	Allow     []netip.Prefix // networks that may connect, besides loopback addresses
	HostNames []string       // names that may stand in a Host header, besides localhost and IP addresses
	Logger    *slog.Logger

	// Ready returns nil while the node takes requests, else why not.
	Ready func() error
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// API has the JSON pages by the last part of their path, such as "status".
	// The functions are called for each request, from many goroutines.
	API map[string]func() any
	// Actions change something: POST /api/v1/ and the name. They get the query of the request, and their result is shown as JSON. They are carried out for clients of
	// this machine alone, and not for a page in somebody's browser: see action.
	Actions map[string]func(url.Values) (any, error)
}

// Server is the admin pages of a node.
type Server struct {
	listener net.Listener
	http     http.Server
	done     chan struct{} // closed when serving has ended
}

// Listen opens the address; it serves when it returns.
func Listen(opt Options) (*Server, error) {
	l, err := net.Listen(cmp.Or(opt.Network, "tcp"), opt.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		listener: &guardedListener{Listener: l, allow: opt.Allow, logger: opt.Logger, slots: make(chan struct{}, maxConnections)},
		http: http.Server{
			Handler:           newHandler(&opt),
			ReadHeaderTimeout: readTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			opt.Logger.Error("the admin pages have stopped", "event", "admin_stopped", "err", err)
		}
	}()
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr {
	return s.listener.Addr()
}

// Shutdown stops accepting, lets answers that have begun finish until ctx
// ends, and cuts what is left. It returns when serving has ended.
func (s *Server) Shutdown(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // The listener is closed already, which is all that could fail.
	}
	<-s.done
}
