package conformance

import (
	_ "embed"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
)

//go:embed testdata/cases.json
var ownCases []byte

// Cases returns the cases that come with the package. It panics if they are
// malformed, which a test of this package excludes.
func Cases() []Case {
	cases, err := Load(ownCases)
	if err != nil {
		panic("conformance: " + err.Error())
	}
	return cases
}

// format is the version of the cases' layout that this package reads.
const format = 2

// Load reads a set of cases. Unknown keys, repeated keys, wrong types, texts
// that are not bytes and steps that make no sense are errors, never ignored.
// The error joins all mistakes; the cases without one are returned beside it.
//
// Keys that explain a case to readers (about, title, basis, note) are allowed
// and dropped.
func Load(src []byte) ([]Case, error) {
	o, err := parseObject(src)
	if err != nil {
		return nil, err
	}
	if v := require[int](o, "format"); v != format {
		o.fail("format: %d is not supported, want %d", v, format)
	}
	take[string](o, "about")
	groups, _ := take[map[string]string](o, "groups")
	raws := require[[]json.RawMessage](o, "cases")

	cases := make([]Case, 0, len(raws))
	seen := make(map[string]bool)
	for i, raw := range raws {
		c, err := decodeCase(raw)
		switch {
		case err != nil:
			o.fail("case %d (%s): %w", i+1, c.ID, err)
		case seen[c.ID]:
			o.fail("case %d (%s): the id is there twice", i+1, c.ID)
		case groups != nil && groups[c.Group] == "":
			o.fail("case %d (%s): group %q is not among the groups", i+1, c.ID, c.Group)
		default:
			cases = append(cases, c)
		}
		seen[c.ID] = true
	}
	if len(raws) == 0 {
		o.fail("cases: there is none")
	}
	return cases, o.done()
}

func decodeCase(raw []byte) (Case, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Case{}, err
	}
	c := Case{
		ID:      require[string](o, "id"),
		Group:   require[string](o, "group"),
		Clauses: require[[]string](o, "clauses"),
	}
	c.Tags, _ = take[[]string](o, "tags")
	for _, remark := range []string{"title", "basis", "note"} {
		take[string](o, remark)
	}
	c.check(o)

	s := &scope{marks: make(map[string]bool), ticks: make(map[string]bool)}
	given, _ := take[[]json.RawMessage](o, "given")
	c.given = decodeSteps(o, "given", given, s)
	c.steps = decodeSteps(o, "steps", require[[]json.RawMessage](o, "steps"), s)
	if len(c.steps) == 0 {
		o.fail("steps: there is none")
	}
	return c, o.done()
}

var (
	idShape     = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	clauseShape = regexp.MustCompile(`^§\d+(\.\d+)*$`)
)

func (c *Case) check(o *object) {
	if !idShape.MatchString(c.ID) {
		o.fail("id: %q is no name of letters and digits", c.ID)
	}
	if len(c.Clauses) == 0 {
		o.fail("clauses: there is none")
	}
	for _, clause := range c.Clauses {
		if !clauseShape.MatchString(clause) {
			o.fail("clauses: %q is not of the shape §1.2", clause)
		}
	}
	for _, tag := range c.Tags {
		if !slices.Contains([]string{tagSlow, tagTiming, tagLarge}, tag) {
			o.fail("tags: %q is unknown", tag)
		}
	}
}

func decodeSteps(o *object, key string, raws []json.RawMessage, s *scope) []action {
	steps := make([]action, 0, len(raws))
	for i, raw := range raws {
		a, err := decodeStep(raw, s)
		if err != nil {
			o.fail("%s[%d]: %w", key, i, err)
		}
		steps = append(steps, a)
	}
	return steps
}

// scope knows which names the steps so far have defined.
type scope struct {
	marks map[string]bool // moments
	ticks map[string]bool // remembered lock times
}

// stepKinds has a decoder for each kind of step, under the key that shows it.
// A step without any of the keys is a talk.
var stepKinds = []struct {
	key    string
	decode func(*object, *scope) action
}{
	{"wait_s", decodePause},
	{"mark", decodeMark},
	{"fan", decodeFan},
	{"contend", decodeContend},
}

func decodeStep(raw []byte, s *scope) (action, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	decode := decodeTalk
	var kinds []string
	for _, kind := range stepKinds {
		if o.has(kind.key) {
			decode = kind.decode
			kinds = append(kinds, kind.key)
		}
	}
	if len(kinds) > 1 {
		return nil, errors.New("a step cannot be all of " + strings.Join(kinds, ", "))
	}
	return decode(o, s), o.done()
}
