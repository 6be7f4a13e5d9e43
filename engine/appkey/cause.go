package appkey

import "fmt"

// Cause is why one session id is known under two applications that look like one.
type Cause uint8

// The causes. None means that it is no near miss.
const (
	None     Cause = iota
	SiteID         // the web servers have given the site different ids
	PathCase       // the web servers spell the path with different letter case
	Hash           // the application id is the same, the hash is not
)

// NumCauses is the number of values of Cause, None included.
const NumCauses = 4

// String is a stable name, good as a metric label.
func (c Cause) String() string {
	switch c {
	case None:
		return "none"
	case SiteID:
		return "site_id"
	case PathCase:
		return "path_case"
	case Hash:
		return "hash"
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// Sentence says the cause in words, for a log line. Empty for None.
func (c Cause) Sentence() string {
	switch c {
	case SiteID:
		return "site ids differ"
	case PathCase:
		return "path case differs"
	case Hash:
		return "machineKey or .NET level differs"
	case None:
	}
	return ""
}

// Advice says what an operator can do about it, for a log line. Empty for None.
func (c Cause) Advice() string {
	switch c {
	case SiteID:
		return "give the site the same id in IIS on every web server, or join the two application ids with an [[alias]] rule"
	case PathCase:
		return "spell the physical path and the application's name alike on every web server, letter case included, " +
			"or set fold_application_case = true"
	case Hash:
		return "use the same machineKey and the same .NET level on every web server, " +
			"or add an [[alias]] rule from the application id to the same id with one of the two hashes"
	case None:
	}
	return ""
}
