package wire

// Fault says why bytes are not, or not yet, a message. See docs/protocol.md §6.2.
type Fault uint8

// The faults. OK and Short are no refusals; all others end the connection.
const (
	OK             Fault = iota
	Short                // a good beginning: more bytes are needed
	BadByte              // LF or CR on its own, or a control character
	HeaderTooLarge       // more than Limits.MaxHead bytes and still no end
	BadRequestLine       // not three parts, or an empty target; in an answer: a first line without a known status
	BadVerb              // not one of the four
	BadVersion           // no version token, or an unknown one
	BadHeader            // no colon, no name, a byte that names do not have, a folded line
	BadNumber            // not a number, or outside its range
	BadExclusive         // neither acquire nor release
	Chunked              // Transfer-Encoding
	MissingBody          // a PUT with nothing to store; in an answer: no Content-Length
	BodyTooLarge         // Content-Length above Limits.MaxBody
	numFaults
)

var faultNames = [numFaults]string{
	"ok", "short", "bad_byte", "header_too_large", "bad_request_line", "bad_verb", "bad_version", "bad_header",
	"bad_number", "bad_exclusive", "chunked", "missing_body", "body_too_large",
}

// String returns the name under which a refusal is counted.
func (f Fault) String() string {
	if f >= numFaults {
		return "unknown"
	}
	return faultNames[f]
}
