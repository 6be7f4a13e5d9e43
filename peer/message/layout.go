package message

import "slices"

// layout is the grammar of one kind: what its first line is and which headers it has. See docs/peer-protocol.md §3.2 and §3.5.
type layout struct {
	start   string   // the first line without its end; up to the target if it has one
	keyed   bool     // the first line has the key as its target
	bodied  bool     // it may have a body; see Message.bodied
	headers []header // in the order in which they are written. Content-Length, X-Length and X-Offset come behind
	needs   set      // those that must be there
	allowed set      // those that are read. All others are ignored
}

// state is what a message that brings a session says of it beyond its key, and stateNeeds what must be there. A Transfer has more among it.
var (
	state      = []header{xGeneration, xVersion, timeout, xLeft, extraFlags, lockCookie, xLocked, xLockAge, xSkip, xLiteral}
	stateNeeds = setOf(xGeneration, xVersion, timeout, xLeft, lockCookie)
)

var layouts = func() (t [numKinds]layout) {
	answer := []header{xAssocID, xGeneration, xKey}
	t[Hello] = layout{
		start: `GET \HELLO`, headers: []header{host, xNode, xProtocol, xProgram, xPurpose, xLeaving, xFree},
		needs: setOf(host, xNode, xProtocol, xPurpose),
	}
	t[Ping] = layout{start: `GET \PING`, headers: []header{host, xLeaving, xFree, xAdmin}, needs: setOf(host)}
	t[Query] = layout{
		start: "GET ", keyed: true,
		headers: []header{host, xNode, xID, exclusive, maxForwards, xRank, xWait, xChase, xDirect, xUrgent, xCensus, xLook, xAge, xGeneration, xSum, xTarget},
		needs:   setOf(host, xNode, xID, exclusive, maxForwards, xRank, xWait),
	}
	t[Around] = layout{start: `GET \AROUND`, headers: []header{host, xNodes, xSum}, needs: setOf(host, xNodes, xSum)}
	t[NotHere] = layout{
		start: "404 Not Found", headers: []header{xAssocID, xOriginal, xUndecided, xLost, xSeen, xCopies, xRemoved}, needs: setOf(xAssocID),
	}
	t[Found] = layout{start: "302 Found", headers: []header{xAssocID, xOwner}, needs: setOf(xAssocID)}
	t[Transfer] = layout{
		start: "PUT ", keyed: true, bodied: true,
		headers: []header{
			host, xNode, xID, xQuery, xGeneration, xVersion, exclusive, timeout, xLeft, extraFlags, lockCookie, xLocked, lockAge, xLockAge,
			xSkip, xShutdown, xLiteral, xHolders, xTarget,
		},
		needs: setOf(host, xNode, xID, exclusive, contentLength) | stateNeeds,
	}
	t[Held] = layout{start: "202 Accepted", headers: answer, needs: setOf(answer...)}
	t[Refused] = layout{
		start: "409 Conflict", headers: []header{xAssocID, xReason, xGeneration, xNewerGeneration, xVersion, xKey}, needs: setOf(xAssocID, xReason, xGeneration, xKey),
	}
	t[Commit] = layout{start: "200 OK", headers: answer, needs: setOf(answer...)}
	t[Abort] = layout{start: "410 Gone", headers: answer, needs: setOf(answer...)}
	t[Part] = layout{start: `PUT \PART`, bodied: true, headers: []header{xID}, needs: setOf(xID, xOffset, contentLength)}
	t[Copy] = layout{start: `PUT \COPY`, bodied: true, headers: allOf(changes[:]), needs: setOf(xStream, xUpdate, xChange)} // see changes
	t[Copied] = layout{start: `GET \COPIED`, headers: []header{xStream, xUpdate, xHeard, xRefusals}, needs: setOf(xStream, xUpdate)}
	t[Claim] = layout{start: `GET \CLAIM`, headers: []header{host, xNode, xID, xKey}, needs: setOf(host, xNode, xID, xKey)}
	t[Ceded] = layout{
		start: `PUT \CEDED`, bodied: true, headers: join([]header{xAssocID, xKey, xOwner}, state), needs: setOf(xAssocID, xKey), // and cededNeeds
	}
	t[Shelved] = layout{start: `PUT \SHELVED`, bodied: true, headers: []header{xID}, needs: setOf(contentLength)}
	for k := range t {
		l := &t[k]
		l.allowed = l.needs | setOf(l.headers...) | setOf(contentLength, transferEncoding)
		if l.bodied {
			l.allowed |= setOf(xLength)
		}
	}
	t[Part].allowed &^= setOf(xLength)
	t[Ceded].allowed |= setOf(xAbsent)
	return t
}()

// change is what a Copy with one Change has beyond what each has. See docs/peer-protocol.md §3.8.
type change struct {
	headers []header // in the order in which they are written
	needs   set
	bodied  bool
}

// changes is by Change.
var changes = func() (t [numChanges]change) {
	always := []header{xStream, xUpdate, xHeard, xChange}
	session := []header{xOwner, xKey}
	t[Content] = change{join(always, session, state, []header{xID}), setOf(xKey, contentLength) | stateNeeds, true}
	t[State] = change{join(always, session, []header{xBase}, state), setOf(xKey) | stateNeeds, false}
	t[Drop] = change{join(always, session, []header{xGeneration, xTomb, timeout}), setOf(xKey, xGeneration), false}
	t[Touch] = change{join(always, []header{xID}), setOf(contentLength), true}
	t[Nothing] = change{always, 0, false}
	t[Taken], t[Buried] = t[Touch], t[Touch]
	return t
}()

func join(lists ...[]header) []header { return slices.Concat(lists...) }

func allOf(cs []change) (all []header) {
	for _, c := range cs {
		all = append(all, c.headers...)
	}
	return all
}

// absent is what a Ceded has that brings nothing.
var absent = []header{xAssocID, xKey, xAbsent}

// written returns the headers of m in the order in which they are written, but for those of its length.
func (m *Message) written() []header {
	switch {
	case m.Kind == Copy:
		return changes[m.Change].headers
	case m.Kind == Ceded && m.Absent:
		return absent
	}
	return layouts[m.Kind].headers
}

// bodied reports whether m is a message that must have a body; all others have none.
func (m *Message) bodied() bool {
	switch m.Kind {
	case Copy:
		return changes[m.Change].bodied
	case Ceded:
		return !m.Absent
	}
	return layouts[m.Kind].bodied
}

// kindOfAnswer returns the kind of the answer with this number, or 0.
func kindOfAnswer(code []byte) Kind {
	switch string(code) {
	case "404":
		return NotHere
	case "302":
		return Found
	case "202":
		return Held
	case "409":
		return Refused
	case "200":
		return Commit
	case "410":
		return Abort
	}
	return 0
}
