package data

// Advice is what to do about an error of Write or Remove, as a sentence without its full stop.
func (d *Dir) Advice(err error) string {
	if full(err) {
		return "there is no room for it: make some on the disk of " + d.path + ", or raise the limit (quota, length of a file)"
	}
	return "see to the disk of " + d.path + ", and to what the account that runs farmstate may do there"
}
