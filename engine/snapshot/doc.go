// Package snapshot is the form in which sessions are kept in a file: all that [engine.Parcel] says of each, in frames that tell whether they are whole.
// It works on an io.Reader and an io.Writer, and knows neither files nor clocks.
//
// # Version 2
//
// All numbers are little-endian. A file is a header and frames, the last of which is the end.
//
//	header   0   8  "farmsnap"
//	         8   2  version; these ten bytes never change their meaning
//	        10   2  flags: 1 = encrypted; no other is known
//	        12   4  length of the whole header, at most 1024
//	        16   8  when it was written: ns since 1970, UTC
//	        24  16  the node that wrote it
//	        40  32  salt of the encryption
//	        72      farm, program: a byte of length and so many bytes, each
//	           16  check of the key: zeros without encryption
//	            4  CRC-32C of all before
//
//	frame    0   8  number, from 0
//	         8   4  length of the content
//	        12   1  kind
//	        13   3  zeros
//	        16   4  CRC-32C of the 16 bytes before, and the content
//	        20      content
//
// The kinds are
//
//	1  records      one record after the other
//	2  large        the beginning of one record, whose body goes on in the next frames
//	3  more         a further part of that body
//	4  end          the number of sessions, and the offset of this frame: 8 bytes each
//	5  removed      removals, 20 bytes each; before all sessions. Version 1 has none
//
//	record   0   1  flags: 1 = locked, 2 = uninitialised, 4 = literal
//	         1   1  zero
//	         2   2  Skip
//	         4   4  length of the key, 1 to 65536
//	         8   4  length of the body, 1 to 1073741824
//	        12   4  Minutes
//	        16   4  Gen
//	        20   4  Version
//	        24   4  Cookie
//	        28   8  Left, ns; 0 if Minutes is 0
//	        36   8  LockAge, ns; 0 if not locked
//	        44      key, body
//
//	removal  0   8  hash of the key, by which the farm places copies
//	         8   4  generation in which the session was removed
//	        12   8  how long that is to be kept in mind, ns
//
// Lives and ages are told as of the header's time. A frame has at most 393216 bytes of records; it is ended at 8192.
//
// With encryption each content is sealed with AES-256-GCM: 16 bytes longer, the frame's number as nonce, the first 16 bytes of the frame as associated data. The
// key is derived from the secret by HKDF-SHA-256 with the salt, which is random for each file, and all of the header before its check. So neither frames nor
// headers of different files can be put together, and no frame can be dropped, swapped or repeated unnoticed.
//
// # The next version
//
// A node reads its own version and the one before, so that it can be updated; an older node says that it cannot read the file. To make a new version:
//
//  1. Raise [Version], and write the new form.
//  2. Keep the functions that read the form before as they are, in files named by it, and list both in formats. Drop the one before that.
//  3. Write testdata/vN-plain.snapshot and vN-encrypted.snapshot with go test ./engine/snapshot -run TestGolden -update; those of the version before stay as they are. The test reads all.
package snapshot
