// Package appkey reads the parts of a session key, for diagnosis and for aliases.
//
// The engine and the state port treat a key as opaque bytes. But a real client builds it from three parts, an application id, a hash and
// a session id (see docs/protocol.md §3.8), and two web servers of one farm that disagree about the first two lose each other's
// sessions without a word. This package knows enough about the parts to say so, and to make two names one where the operator asks for it.
// It does no I/O, reads no clock, and a key without these parts passes through it unharmed.
//
//	/LM/W3SVC/2/ROOT/shop(R5cLvsolxp83Pl171VCJDriS0xmS6SzeKpszgt1KZI4=)/z445nnecaiiqye55asxwtm55
//	└─────── App ───────┘ └─────────────────── Hash ─────────────────┘  └────────── ID ────────┘
//	└────────────────────────────── prefix ───────────────────────────┘
//
// # Near misses
//
// Table remembers the prefixes under which sessions were created. When a session is not found, its id can be tried under each of
// them; Compare says whether two prefixes look like one application seen by two web servers, and why they differ:
//
//	SiteID    /LM/W3SVC/1/ROOT and /LM/W3SVC/2/ROOT
//	PathCase  /LM/W3SVC/1/ROOT and /LM/W3SVC/1/Root
//	Hash      one application id, two hashes
//	None      anything else: ROOT and ROOT/shop share a browser's cookie, and that each has a session of its own is right
//
// # Aliases
//
// Rules rewrite keys before anything else sees them. A rule joins two applications, From and To:
//
//   - /LM/W3SVC/2/ROOT stands for all keys of that application, whatever their hash. /LM/W3SVC/2/ROOT(*) is the same, and the way to
//     write an application id that ends in a parenthesis itself.
//   - /LM/W3SVC/2/ROOT(hash) stands for the keys with that hash only.
//   - A missing slash at the front is added, as the client adds it.
//
// All keys for which either side stands become one. A rule that names a hash wins over one for the same application that does
// not. Rules may be chained: with 3 → 2 and 2 → 1, sites 1, 2 and 3 are one. Which rules contradict each other, or go round in a circle, is
// found by Compile. The order of the rules does not matter.
//
// The hash is derived from the application id, so joining two ids means ignoring their hashes: a rule without a hash in To makes all
// hashes of To one, too. To join two hashes of a single application (two machine keys, or two .NET levels), name the one to keep: from
// /LM/W3SVC/1/ROOT to /LM/W3SVC/1/ROOT(hash).
//
// Folding makes application ids one that differ only in the case of ASCII letters, all of them and without rules. It ignores hashes for
// the same reason: ROOT and Root have different ones. The consequence is that with folding the hash no longer separates anything, neither the
// two spellings nor two web servers with different machine keys, unless a rule takes one named hash elsewhere.
//
// # The canonical key
//
// Joined keys become To with its hash if the rule names one, else To with the hash "*", which no client sends because it is not base64; with
// folding the application id is in lower case. Session ids never change. Whatever the canonical form, a key that is
// spelled so from the start is itself one of the keys joined by the rules: so no key of another application can meet it, and rewriting a key twice
// is the same as rewriting it once.
package appkey
