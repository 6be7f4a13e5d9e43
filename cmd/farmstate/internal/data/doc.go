// Package data keeps a node's snapshot in a directory: one file that is replaced as a whole or not at all, and a lock that keeps a second process out.
//
// What lies in the directory:
//
//	farmstate-sessions.snapshot       the latest snapshot that was written to its end
//	farmstate-sessions.snapshot.tmp   one that is being written; one that is left over is removed at the next start
//	farmstate-sessions.snapshot.kept  one that was damaged when it was read, or of which not all was taken, kept when the next is written
//	lock                              held while a process uses the directory; the file stays
package data
