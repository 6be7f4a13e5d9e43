package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// answer is a response that a case expects. Static after decoding.
type answer struct {
	status  string // "200 OK"
	version string // of X-AspNet-Version; empty: any that a real client accepts
	headers []header
	body    data
	then    ending
}

type header struct {
	name  string
	value pattern
}

// ending is what must follow a response.
type ending uint8

const (
	anything  ending = iota
	thenClose        // the server closes, without a further byte
	thenOpen         // for a moment the connection is open and silent
)

var statusShape = regexp.MustCompile(`^[1-9]\d\d [ -~]+$`)

// decodeAnswers reads one expected response or a list of them.
func decodeAnswers(raw []byte, s *scope) ([]answer, error) {
	if !bytes.HasPrefix(raw, []byte("[")) {
		a, err := decodeAnswer(raw, s)
		return []answer{a}, err
	}
	var list []json.RawMessage
	if err := strictly(raw, &list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("an empty list expects nothing")
	}
	answers := make([]answer, 0, len(list))
	for i, raw := range list {
		a, err := decodeAnswer(raw, s)
		if err == nil && a.then != anything && i < len(list)-1 {
			err = errors.New("then: only the last response can have it")
		}
		if err != nil {
			return nil, fmt.Errorf("response %d: %w", i+1, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func decodeAnswer(raw []byte, s *scope) (answer, error) {
	o, err := parseObject(raw)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: require[string](o, "status")}
	if !statusShape.MatchString(a.status) {
		o.fail("status: %q is no number and reason", a.status)
	}
	a.headers = takeHeaders(o, "headers", s)
	if !o.has("body") {
		o.fail("body: missing")
	}
	a.body, _ = takeWith(o, "body", decodeData)
	if v, ok := take[string](o, "version"); ok {
		if a.version = v; v == "" {
			o.fail("version: it is empty")
		}
	}
	switch then, ok := take[string](o, "then"); {
	case !ok:
	case then == "close":
		a.then = thenClose
	case then == "open":
		a.then = thenOpen
	default:
		o.fail("then: %q is neither close nor open", then)
	}
	return a, o.done()
}

// takeHeaders decodes a list of [name, value].
func takeHeaders(o *object, key string, s *scope) []header {
	var headers []header
	for i, pair := range require[[][]string](o, key) {
		if len(pair) != 2 || pair[0] == "" {
			o.fail("%s[%d]: want a name and a value, have %q", key, i, pair)
			continue
		}
		value, err := decodePattern(pair[1], s)
		if err != nil {
			o.fail("%s: %s: %w", key, pair[0], err)
		}
		headers = append(headers, header{pair[0], value})
	}
	return headers
}

// versionShape is three numbers, the first one 2 or more, as the real client
// demands. See docs/protocol.md §5.4.
var versionShape = regexp.MustCompile(`^([2-9]|[1-9]\d+)\.\d+\.\d+$`)

// check compares r with a, byte for byte but for the patterns. The layout is
// that of docs/protocol.md §5.1.
func (a *answer) check(r *reply, p *player) error {
	body := a.body.bytes(p.names)
	var d differ
	d.line(a.status)
	d.field("X-AspNet-Version", func(v string) (want string, err error) {
		if a.version != "" {
			return a.version, equal(v, a.version)
		}
		if !versionShape.MatchString(v) {
			return "<three numbers, the first at least 2>", errors.New("want a version that real clients accept")
		}
		return v, nil
	})
	for _, h := range a.headers {
		d.field(h.name, func(v string) (string, error) {
			return h.value.text, h.value.match(v, r, p.ticks)
		})
	}
	d.line("Cache-Control: private")
	d.line(fmt.Sprintf("Content-Length: %d", len(body)))
	return d.compare(r, body)
}

// errUnequal says what the two texts beside it show.
var errUnequal = errors.New("they are not equal")

func equal(have, want string) error {
	if have != want {
		return errUnequal
	}
	return nil
}

// headerOf splits a line of a response at its colon and single blank.
func headerOf(line string) (name, value string, ok bool) {
	return strings.Cut(line, ": ")
}
