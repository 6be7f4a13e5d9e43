package appkey

import "bytes"

// Compare says why a and b, which carry one session id, differ although they may well be one application on two web servers. It
// returns None if they are equal, or so different that each having a session of its own is right. If the site id differs
// and the letter case too, the site id is reported: it takes a rule, folding would not help. 0 allocations.
func Compare(a, b Parts) Cause {
	if bytes.Equal(a.App, b.App) {
		if bytes.Equal(a.Hash, b.Hash) {
			return None
		}
		return Hash
	}
	aSite, aPath, aOK := metabase(a.App)
	bSite, bPath, bOK := metabase(b.App)
	if aOK && bOK && !bytes.Equal(aSite, bSite) {
		if equalFold(aPath, bPath) {
			return SiteID
		}
		return None
	}
	if equalFold(a.App, b.App) {
		return PathCase
	}
	return None
}

// metabaseRoot is what IIS puts in front of the number of a site.
const metabaseRoot = "/LM/W3SVC/"

// metabase splits /LM/W3SVC/<site>/<path>; the path begins with its slash. ok is false for other application ids, such as those of
// development servers.
func metabase(app []byte) (site, path []byte, ok bool) {
	if len(app) < len(metabaseRoot) || !equalFold(app[:len(metabaseRoot)], metabaseRoot) {
		return nil, nil, false
	}
	rest := app[len(metabaseRoot):]
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	if end == 0 || end < len(rest) && rest[end] != '/' {
		return nil, nil, false
	}
	return rest[:end], rest[end:], true
}
