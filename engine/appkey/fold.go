package appkey

// Only ASCII letters are folded. Other scripts would make the result depend on a Unicode version, and nodes of different builds
// must agree on what a key is.

// lower returns c in lower case if it is an ASCII letter.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// equalFold reports whether a and b differ in the case of ASCII letters at most.
func equalFold[A, B string | []byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// lowerAll folds b in place.
func lowerAll(b []byte) {
	for i, c := range b {
		b[i] = lower(c)
	}
}
