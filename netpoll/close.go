package netpoll

// CloseReason says why a connection ended. The names are stable: log fields, metric labels and tests use them.
type CloseReason uint8

// The reasons.
const (
	CloseClient     CloseReason = iota // the client closed or reset it
	CloseAsked                         // Connection: close (§2.9)
	CloseMalformed                     // after a 400 (§2.12)
	CloseIdle                          // silence (§2.8)
	CloseSlowReader                    // did not take its answers
	CloseFlood                         // sent more than may be kept behind a parked request (§8.10)
	CloseShutdown                      // the server stops
	CloseFault                         // a bug here: the panic is in the log
	ClosePolicy                        // not allowed to connect, or one too many
	numCloseReasons
)

var closeReasonNames = [numCloseReasons]string{
	"client", "asked", "malformed", "idle", "slow_reader", "flood", "shutdown", "fault", "policy",
}

// String returns the reason's name.
func (r CloseReason) String() string { return closeReasonNames[r] }
