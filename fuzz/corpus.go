// Package fuzz holds the fuzz targets: each states one property that must hold for all input, in its doc comment.
//
// Seeds that several targets share are in ordinary Go (corpus.go). Corner cases of one target, and whatever has broken it, are in
// testdata/fuzz. Without -fuzz, go test runs all of them and takes no time. To search for more:
//
//	go test -fuzz '^FuzzParseSplit$' -fuzztime 1m ./fuzz
package fuzz

import "strings"

// target is the first example of docs/protocol.md §3.9.
const target = "%2fLM%2fW3SVC%2f1%2fROOT(cAHkmVhipCLv%2fQnONQmPsKL%2bq%2fAjnK%2fnYS9aV3Zlad8%3d)%2fz445nnecaiiqye55asxwtm55"

// GoodHeads returns header blocks that are accepted, each with some bytes behind it. See docs/protocol.md sections 2 to 4.
func GoodHeads() []string {
	const host = " " + target + " HTTP/1.1\r\nHost: stateserver\r\n"
	return []string{
		// The six operations as §4.9 spells them.
		"GET" + host + "\r\n",
		"GET" + host + "Exclusive: acquire\r\n\r\n",
		"GET" + host + "Exclusive: release\r\nLockCookie: 2\r\n\r\n",
		"PUT" + host + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 0\r\nLockCookie: 2\r\n\r\n\x14\x00\x00\x00\x00\x00\xff",
		"PUT" + host + "Timeout: 20\r\nContent-Length: 7\r\nExtraFlags: 1\r\nLockCookie: 0\r\n\r\n\x14\x00\x00\x00\x00\x00\xff",
		"DELETE" + host + "LockCookie: 2\r\n\r\n",
		"HEAD" + host + "\r\n",
		// The shortest, and two behind one another.
		"GET x HTTP/1.1\r\n\r\n",
		"GET x HTTP/1.0\r\n\r\nHEAD y HTTP/1.1\r\n\r\n",
		// Spellings that are taken too.
		"PUT /x HTTP/1.1\r\ncontent-length:4\r\nTIMEOUT:\t31\t\r\nExTrAfLaGs:  -1  \r\nlockCOOKIE: 2147483646\r\n\r\nAAAA",
		"PUT /x HTTP/1.1\r\nContent-Length: +0000000000000000000000004\r\nTimeout: 525600\r\nExtraFlags: -2147483648\r\n\r\nAAAA",
		"GET /x HTTP/1.1\r\nExclusive: \tAcquire \t\r\nConnection: keep-alive , CLOSE\r\n\r\n",
		"GET /\x80\xff HTTP/1.1\r\nX: \x80\t\xff\r\nX-Empty:\r\n!#$%&'*+-.^_`|~: 1\r\n\r\n\x00",
		// Repeated headers, unknown ones, and near misses of known ones.
		"PUT /x HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 6\r\nTimeout: 1\r\nTimeout: -0\r\n\r\nAAAABB",
		"GET /x HTTP/1.1\r\nExclusive: release\r\nExclusive: acquire\r\nConnection: close\r\nConnection: x\r\nExtraFlags: 1\r\nExtraFlags: -1\r\n\r\n",
		"GET /x HTTP/1.1\r\nLock-Cookie: x\r\nTimeouts: x\r\nContent_Length: x\r\nTransfer-Encodin: x\r\nConnections: close\r\n\r\n",
		"GET /x HTTP/1.1\r\nX-Pad: " + strings.Repeat("a", 500) + "\r\n\r\n",
	}
}

// BadHeads returns bytes that are refused, at the latest with an end of block behind them. Some are what other parsers fell over.
func BadHeads() []string {
	const get = "GET /x HTTP/1.1\r\n"
	return []string{
		// §2.5
		"GET /x HTTP/1.1\nHost: h\n\n", "\n", "\r\r\n", "GET /x HTTP/1.1X\n\r\n", "\rG", get + "\n", get + "\r\r\n", get + "X: \x00\r\n\r\n", get + "X: \x7f",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", get + "Timeout\x1a 5\r\n\r\n", get + "Content\rLength: 5\r\n\r\n",
		// Section 3
		"\r\n", "\r\n\r\n", " \r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "GET /x\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET HTTP/1.1\r\n\r\n",
		"get /x HTTP/1.1\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "DELE /x HTTP/1.1\r\n\r\n", "GET /x HTTP/2.0\r\n\r\n", "GET /x http/1.1\r\n\r\n",
		"GET /x  HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET /a\tb HTTP/1.1\r\n\r\n", "GET /x\tHTTP/1.1\r\n\r\n", "GET /x HTTP/1.1 \r\n\r\n",
		// Section 4
		get + "nonsense\r\n\r\n", get + ": y\r\n\r\n", get + "Timeout : 5\r\n\r\n", get + " folded: x\r\n\r\n", get + "\xff: x\r\n\r\n",
		get + "Timeout:\r\n\r\n", get + "Timeout: 2 0\r\n\r\n", get + "Timeout: 20.5\r\n\r\n", get + "Timeout: 0x14\r\n\r\n", get + "Timeout: +-5\r\n\r\n",
		get + "Timeout: 525601\r\n\r\n", get + "Timeout: -1\r\n\r\n", get + "Timeout: 18446744073709551636\r\n\r\n",
		get + "LockCookie: 2147483647\r\n\r\n", get + "LockCookie: 4294967298\r\n\r\n", get + "ExtraFlags: 2147483648\r\n\r\n",
		get + "ExtraFlags: -2147483649\r\n\r\n", get + "Content-Length: 67108865\r\n\r\n", get + "Content-Length: 9223372036854775808\r\n\r\n",
		get + "Exclusive: maybe\r\n\r\n", get + "Exclusive: 1\r\n\r\n", get + "Exclusive: relea\u017fe\r\n\r\n", get + "Transfer-Encoding: chunked\r\n\r\n",
		"PUT /x HTTP/1.1\r\n\r\n", "PUT /x HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\n",
		// Other protocols, and lengths that wrapped in other parsers.
		"*1\r\n$-2\r\n\r\n", "*1\r\n$9223372036854775806\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
}

// Answers returns heads of answers, good ones and others. See docs/protocol.md section 5.
func Answers() []string {
	const version = "X-AspNet-Version: 4.0.30319\r\n"
	const nothing = "Cache-Control: private\r\nContent-Length: 0\r\n\r\n"
	return []string{
		"200 OK\r\n" + version + nothing,
		"200 OK\r\n" + version + "Timeout: 20\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\n\x14\x00\x00\x00\x00\x00\xff",
		"200 OK\r\n" + version + "ActionFlags: 1\r\nLockCookie: 2\r\nTimeout: 20\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\n" + version + nothing,
		"404 Not Found\r\n" + version + nothing,
		"423 Locked\r\n" + version + "LockDate: 638409078000000000\r\nLockAge: 3\r\nLockCookie: 2\r\n" + nothing,
		"HTTP/1.0 423 Locked\r\nlockage:-3\r\nContent-Length: 205\r\n\r\n",
		"200 OK\r\n" + version + "\r\n", "500 Oops\r\n" + nothing, "200 OK\nContent-Length: 0\n\n", "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	}
}

// Targets returns request targets with every kind of escape, good and broken. See docs/protocol.md §3.5, §3.6.
func Targets() []string {
	return []string{
		target, "/LM/W3SVC/1/ROOT(x=)/z445", "//LM/x", "///x", "//", "/%2fx", "%2f/x", "%2f%2fx", "a+b%20c%2Bd", "%252f", "%00%ff%80",
		"%", "a%4", "%g1", "%1g", "%%41", "aaaaaaa%", "aaaaaa%4", "+41", "%u00e9", "%uFFFD", "%u0000", "%U00e9", "%u00e", "%u00eg%41",
		"%ud83d%ude00", "%ud83d", "%ude00%ud83d", "%ude00%udc00", "%ud83d%ud83d%ude00", "%ud83d%u0041", "%ud83d%ude0", "\x80\xff%c3\xa9", "%u0025%u0034%u0031",
	}
}
