package message

import "github.com/farmstate/farmstate/netpoll/wire"

// Fault says why bytes are not, or not yet, a message. See docs/peer-protocol.md §3.7. Compare it with OK and Short alone: the others also
// say which header they are about.
type Fault uint16

// The faults. OK and Short are no refusals; all others end the link.
const (
	OK             Fault = iota
	Short                // a good beginning: more bytes are needed
	BadByte              // LF or CR on its own, or a control character
	HeaderTooLarge       // more than Limits.MaxHead bytes and still no end
	BadStartLine         // not three parts, or no target
	BadVersion           // no version token, or an unknown one
	BadHeader            // no colon, no name, a byte that names do not have, a folded line
	UnknownMessage       // a verb, a name or a status that no message has
	MissingHeader        // one that this message must have
	BadNumber            // not a number, or outside its range
	BadFlag              // neither true nor false
	BadID                // not 32 hex digits, or all of them zero
	BadKey               // empty, too long, or with blanks in it
	BadAddr              // not host:port
	BadText              // too long, or not printable
	BadWord              // none of the words that this header may have
	Chunked              // Transfer-Encoding
	MissingBody          // a session, or a part of one, without a byte
	UnwantedBody         // a message that has none
	BodyTooLarge         // above Limits.MaxBody, whole or in parts
	numFaults
)

var faultNames = [numFaults]string{
	"ok", "short", "bad_byte", "header_too_large", "bad_start_line", "bad_version", "bad_header", "unknown_message", "missing_header",
	"bad_number", "bad_flag", "bad_id", "bad_key", "bad_addr", "bad_text", "bad_word", "chunked", "missing_body", "unwanted_body",
	"body_too_large",
}

// whereShift is where the header of a fault stands, above the fault itself.
const whereShift = 8

// in says which header a fault is about.
func (f Fault) in(h header) Fault { return f | Fault(h)<<whereShift }

// String returns the name under which a refusal is counted.
func (f Fault) String() string {
	if f &= 1<<whereShift - 1; f < numFaults {
		return faultNames[f]
	}
	return "unknown"
}

// Where returns the name of the header that the fault is about, "" if it is about none.
func (f Fault) Where() string {
	if h := header(f >> whereShift); h < numHeaders {
		return headers[h].name
	}
	return ""
}

// ofWire translates the faults that the parser of blocks and first lines finds.
func ofWire(f wire.Fault) Fault {
	switch f {
	case wire.OK:
		return OK
	case wire.Short:
		return Short
	case wire.BadByte:
		return BadByte
	case wire.HeaderTooLarge:
		return HeaderTooLarge
	case wire.BadVerb:
		return UnknownMessage
	case wire.BadVersion:
		return BadVersion
	}
	return BadStartLine
}
