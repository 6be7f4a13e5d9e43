package message

// layout is the grammar of one kind: what its first line is and which headers it has. See docs/peer-protocol.md §3.2 and §3.5.
type layout struct {
	start   string   // the first line without its end; up to the target if it has one
	keyed   bool     // the first line has the key as its target
	headers []header // in the order in which they are written. Content-Length, X-Length and X-Offset come behind
	needs   set      // those that must be there
	allowed set      // those that are read. All others are ignored
}

var layouts = func() (t [numKinds]layout) {
	answer := []header{xAssocID, xGeneration, xKey}
	t[Hello] = layout{
		start: `GET \HELLO`, headers: []header{host, xNode, xProtocol, xProgram, xPurpose, xLeaving, xFree},
		needs: setOf(host, xNode, xProtocol, xPurpose),
	}
	t[Ping] = layout{start: `GET \PING`, headers: []header{host, xLeaving, xFree}, needs: setOf(host)}
	t[Query] = layout{
		start: "GET ", keyed: true,
		headers: []header{host, xNode, xID, exclusive, maxForwards, xRank, xWait, xChase, xDirect, xUrgent, xCensus, xGeneration, xSum, xTarget},
		needs:   setOf(host, xNode, xID, exclusive, maxForwards, xRank, xWait),
	}
	t[Around] = layout{start: `GET \AROUND`, headers: []header{host, xNodes, xSum}, needs: setOf(host, xNodes, xSum)}
	t[NotHere] = layout{start: "404 Not Found", headers: []header{xAssocID, xOriginal, xUndecided, xLost, xSeen}, needs: setOf(xAssocID)}
	t[Found] = layout{start: "302 Found", headers: []header{xAssocID}, needs: setOf(xAssocID)}
	t[Transfer] = layout{
		start: "PUT ", keyed: true,
		headers: []header{
			host, xNode, xID, xQuery, xGeneration, xVersion, exclusive, timeout, xLeft, extraFlags, lockCookie, xLocked, lockAge, xLockAge,
			xSkip, xShutdown, xLiteral, xTarget,
		},
		needs: setOf(host, xNode, xID, xGeneration, xVersion, exclusive, timeout, xLeft, lockCookie, contentLength),
	}
	t[Held] = layout{start: "202 Accepted", headers: answer, needs: setOf(answer...)}
	t[Refused] = layout{
		start: "409 Conflict", headers: []header{xAssocID, xReason, xGeneration, xNewerGeneration, xVersion, xKey}, needs: setOf(xAssocID, xReason, xGeneration, xKey),
	}
	t[Commit] = layout{start: "200 OK", headers: answer, needs: setOf(answer...)}
	t[Abort] = layout{start: "410 Gone", headers: answer, needs: setOf(answer...)}
	t[Part] = layout{start: `PUT \PART`, headers: []header{xID}, needs: setOf(xID, xOffset, contentLength)}
	for k := range t {
		l := &t[k]
		l.allowed = l.needs | setOf(l.headers...) | setOf(contentLength, transferEncoding)
	}
	t[Transfer].allowed |= setOf(xLength)
	return t
}()

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
