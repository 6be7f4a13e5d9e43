package message

import (
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/farmstate/farmstate/netpoll/wire"
)

// header is one of the headers that mean something, or other.
type header uint8

const (
	other header = iota
	host
	exclusive
	maxForwards
	timeout
	extraFlags
	lockCookie
	lockAge
	contentLength
	transferEncoding
	xNode
	xProtocol
	xProgram
	xPurpose
	xLeaving
	xFree
	xAdmin
	xID
	xAssocID
	xQuery
	xKey
	xTarget
	xRank
	xWait
	xChase
	xDirect
	xCensus
	xUrgent
	xLook
	xAge
	xOriginal
	xUndecided
	xLost
	xSeen
	xGeneration
	xVersion
	xReason
	xNewerGeneration
	xLeft
	xLocked
	xLockAge
	xSkip
	xShutdown
	xLiteral
	xLength
	xOffset
	xNodes
	xSum
	xStream
	xUpdate
	xHeard
	xChange
	xOwner
	xBase
	xTomb
	xRefusals
	xCopies
	xRemoved
	xHolders
	xAbsent
	numHeaders
)

// Bounds of what a message may say. See docs/peer-protocol.md §3.3.
const (
	MaxKey      = 16 << 10 // bytes of a key, decoded
	MaxTarget   = 2 << 10  // bytes of Target: an original reads no longer line
	MaxProgram  = 128      // bytes of Program
	MaxAddr     = 255 + len(":65535")
	MaxNodes    = 256               // in one list of nodes
	MaxCopies   = 16                // in one NotHere
	MaxRefusals = 64                // in one Copied
	MaxWait     = 60 * time.Second  // of a query
	MaxHead     = 16<<10 + 3*MaxKey // bytes of the longest head that Append makes, and more
)

const (
	maxMinutes = 525600
	maxCookie  = math.MaxInt32 - 1
	maxLeft    = maxMinutes * int64(time.Minute)
	maxAge     = 100 * 365 * 24 * int64(time.Hour) // a lock that is older than any process
	maxBytes   = 1 << 60
	maxUpdate  = 1 << 60 // no stream lives so long
	ms         = int64(time.Millisecond)
)

// headers has the names, and of those that are numbers the range.
var headers = [numHeaders]struct {
	name      string
	low, high int64
}{
	host:             {name: "Host"},
	exclusive:        {name: "Exclusive"},
	maxForwards:      {name: "Max-Forwards", high: math.MaxUint8},
	timeout:          {name: "Timeout", high: maxMinutes},
	extraFlags:       {name: "ExtraFlags", high: 1},
	lockCookie:       {name: "LockCookie", low: 1, high: maxCookie},
	lockAge:          {name: "LockAge", high: maxAge / int64(time.Second)},
	contentLength:    {name: "Content-Length", high: maxBytes},
	transferEncoding: {name: "Transfer-Encoding"},
	xNode:            {name: "X-Node"},
	xProtocol:        {name: "X-Protocol", low: 1, high: math.MaxUint32},
	xProgram:         {name: "X-Program"},
	xPurpose:         {name: "X-Purpose"},
	xLeaving:         {name: "X-Leaving"},
	xFree:            {name: "X-Free", high: maxBytes},
	xAdmin:           {name: "X-Admin"},
	xID:              {name: "X-ID"},
	xAssocID:         {name: "X-Assoc-ID"},
	xQuery:           {name: "X-Query"},
	xKey:             {name: "X-Key"},
	xTarget:          {name: "X-Target"},
	xRank:            {name: "X-Rank", high: math.MaxUint32},
	xWait:            {name: "X-Wait", high: int64(MaxWait) / ms},
	xChase:           {name: "X-Chase", high: math.MaxUint8},
	xDirect:          {name: "X-Direct"},
	xCensus:          {name: "X-Census"},
	xUrgent:          {name: "X-Urgent"},
	xLook:            {name: "X-Look"},
	xAge:             {name: "X-Age", high: int64(MaxWait) / ms},
	xOriginal:        {name: "X-Original"},
	xUndecided:       {name: "X-Undecided"},
	xLost:            {name: "X-Lost"},
	xSeen:            {name: "X-Seen"},
	xNewerGeneration: {name: "X-Newer-Generation", high: math.MaxUint32},
	xGeneration:      {name: "X-Generation", high: math.MaxUint32},
	xVersion:         {name: "X-Version", high: math.MaxUint32},
	xReason:          {name: "X-Reason"},
	xLeft:            {name: "X-Left", high: maxLeft / ms},
	xLocked:          {name: "X-Locked"},
	xLockAge:         {name: "X-Lock-Age", high: maxAge / ms},
	xSkip:            {name: "X-Skip", high: math.MaxUint16},
	xShutdown:        {name: "X-Shutdown"},
	xLiteral:         {name: "X-Literal"},
	xLength:          {name: "X-Length", low: 1, high: maxBytes},
	xOffset:          {name: "X-Offset", low: 1, high: maxBytes},
	xNodes:           {name: "X-Nodes"},
	xSum:             {name: "X-Sum", low: 1, high: math.MaxUint32},
	xStream:          {name: "X-Stream"},
	xUpdate:          {name: "X-Update", high: maxUpdate},
	xHeard:           {name: "X-Heard", high: maxUpdate},
	xChange:          {name: "X-Change"},
	xOwner:           {name: "X-Owner"},
	xBase:            {name: "X-Base"},
	xTomb:            {name: "X-Tomb"},
	xRefusals:        {name: "X-Refusals"},
	xCopies:          {name: "X-Copies"},
	xRemoved:         {name: "X-Removed", high: math.MaxUint32},
	xHolders:         {name: "X-Holders"},
	xAbsent:          {name: "X-Absent"},
}

// named is a header with its name, as it is written and in small letters.
type named struct {
	name, lower string
	h           header
}

// byHash has the headers by the hash of their names. Most hashes have one at most.
var byHash = func() (t [256][]named) {
	for h := other + 1; h < numHeaders; h++ {
		name := headers[h].name
		t[hashOf([]byte(name))] = append(t[hashOf([]byte(name))], named{name, strings.ToLower(name), h})
	}
	return t
}()

// hashOf is the same for a name in any letter case. Its factors were found by trial: two headers have the same hash, all others one of their own.
func hashOf(name []byte) uint8 {
	const small = 'a' - 'A'
	n := len(name)
	return uint8(n)*7 + (name[n/2]|small)*5 + (name[n-1]|small)*15
}

// headerOf returns the header that has this name, in any letter case. Requires that it is not empty.
func headerOf(name []byte) header {
	for _, n := range byHash[hashOf(name)] {
		if string(name) == n.name || wire.FoldEqual(name, n.lower) { // the first alone takes a fourth of the time, and is the usual case
			return n.h
		}
	}
	return other
}

// set is a set of headers. There is room for 64.
type set uint64

func setOf(hs ...header) (s set) {
	for _, h := range hs {
		s |= 1 << h
	}
	return s
}

func (s set) has(h header) bool { return s>>h&1 != 0 }

// first returns the header that stands first. Requires that there is one.
func (s set) first() header { return header(bits.TrailingZeros64(uint64(s))) }
