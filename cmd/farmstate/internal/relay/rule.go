package relay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RuleHelp is the grammar of rules, for whoever wrote a wrong one.
const RuleHelp = `accepted: [request:|answer:]ACTION[,CONDITION]...
  ACTION     drop-header=NAME, set-header=NAME:VALUE, delay=200ms, cut,
             cut-after=BYTES, truncate=BYTES, reorder or reorder=200ms
  CONDITION  verb=VERB (GET, PUT, HEAD, DELETE, acquire or release),
             status=CODE (200, 400, 404 or 423; answers only),
             session=BEGINNING, nth=N, every=N, prob=0.1
without a direction a rule is for requests; a comma or backslash in a value is
written with a backslash in front`

type action uint8

const (
	dropHeaderAction action = iota
	setHeaderAction
	delayAction
	cutAction
	cutAfterAction
	truncateAction
	reorderAction
)

var actionNames = map[string]action{
	"drop-header": dropHeaderAction, "set-header": setHeaderAction, "delay": delayAction, "cut": cutAction,
	"cut-after": cutAfterAction, "truncate": truncateAction, "reorder": reorderAction,
}

// Bounds of what a rule may say.
const (
	maxRuleText  = 4096 // bytes of a rule
	maxDelay     = 10 * time.Minute
	reorderWait  = 200 * time.Millisecond // how long a message is held for another one, unless the rule says
	maxRuleBytes = math.MaxInt32
)

// Rule bends messages. Make one with ParseRule.
type Rule struct {
	text   string
	dir    Direction
	action action
	name   string        // of a header
	value  string        // of a header
	wait   time.Duration // of delay and reorder
	bytes  int           // of cut-after and truncate

	verb    string  // an operation; empty for all
	status  string  // empty for all
	session string  // the beginning of the session id; empty for all
	nth     uint64  // only this one, from 1; 0 for all
	every   uint64  // only each of these; 0 for all
	prob    float64 // 0 to 1; 1 for all
}

// String is the rule as it was written.
func (r *Rule) String() string { return r.text }

// ParseRule reads a rule. Its errors end with the rules that are accepted.
func ParseRule(text string) (*Rule, error) {
	r, err := parseRule(text)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w\n%s", quote(text), err, RuleHelp)
	}
	return r, nil
}

func parseRule(text string) (*Rule, error) {
	if len(text) > maxRuleText {
		return nil, fmt.Errorf("is longer than %d bytes", maxRuleText)
	}
	r := &Rule{text: text, prob: 1}
	rest := text
	if after, ok := strings.CutPrefix(rest, "answer:"); ok {
		r.dir, rest = Answers, after
	} else if after, ok := strings.CutPrefix(rest, "request:"); ok {
		rest = after
	}
	parts, err := splitRule(rest)
	if err != nil {
		return nil, err
	}
	if err := r.setAction(parts[0]); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if given[name] {
			return nil, fmt.Errorf("has the condition %s twice", quote(name))
		}
		given[name] = true
		if err := r.setCondition(name, value); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// splitRule cuts text at its commas, and takes the backslashes out.
func splitRule(text string) ([]string, error) {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		last := &parts[len(parts)-1]
		switch {
		case text[i] == ',':
			parts = append(parts, "")
		case text[i] != '\\':
			*last += text[i : i+1]
		case i+1 < len(text) && (text[i+1] == ',' || text[i+1] == '\\'):
			i++
			*last += text[i : i+1]
		default:
			return nil, errors.New(`has a \ that stands before neither a comma nor another \`)
		}
	}
	return parts, nil
}

func (r *Rule) setAction(text string) error {
	name, value, given := strings.Cut(text, "=")
	a, ok := actionNames[name]
	if !ok {
		return fmt.Errorf("there is no action %s", quote(name))
	}
	r.action = a
	if a == cutAction && given {
		return errors.New("cut has no value")
	}
	if a != cutAction && a != reorderAction && value == "" {
		return fmt.Errorf("%s needs a value", name)
	}
	var err error
	switch a {
	case dropHeaderAction:
		r.name = value
		err = checkHeader(r.name, "")
	case setHeaderAction:
		var colon bool
		if r.name, r.value, colon = strings.Cut(value, ":"); !colon {
			return errors.New("set-header needs NAME:VALUE")
		}
		r.value = strings.Trim(r.value, " \t")
		err = checkHeader(r.name, r.value)
	case delayAction:
		r.wait, err = ruleDuration(value)
	case reorderAction:
		r.wait = reorderWait
		if given {
			r.wait, err = ruleDuration(value)
		}
	case cutAfterAction, truncateAction:
		var n uint64
		n, err = ruleNumber(value, 0, maxRuleBytes)
		r.bytes = int(n)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *Rule) setCondition(name, value string) (err error) {
	switch name {
	case "verb":
		r.verb = value
		if !slices.Contains([]string{"GET", "PUT", "HEAD", "DELETE", "acquire", "release"}, value) {
			err = fmt.Errorf("%s is none", quote(value))
		}
	case "status":
		r.status = value
		if r.dir != Answers {
			err = errors.New("only answers have one; begin the rule with answer: for them")
		} else if !slices.Contains([]string{"200", "400", "404", "423"}, value) {
			err = fmt.Errorf("%s is none", quote(value))
		}
	case "session":
		if r.session = value; value == "" {
			err = errors.New("needs the beginning of a session id")
		}
	case "nth":
		r.nth, err = ruleNumber(value, 1, math.MaxInt64)
	case "every":
		r.every, err = ruleNumber(value, 1, math.MaxInt64)
	case "prob":
		r.prob, err = strconv.ParseFloat(value, 64)
		if err != nil || !(r.prob >= 0 && r.prob <= 1) {
			err = fmt.Errorf("%s is not a number from 0 to 1", quote(value))
		}
	default:
		return fmt.Errorf("there is no condition %s", quote(name))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkHeader sees to it that a head stays a head.
func checkHeader(name, value string) error {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("%s cannot be the name of a header", quote(name))
		}
	}
	if name == "" {
		return errors.New("the name of the header is missing")
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("%s cannot be the value of a header", quote(value))
		}
	}
	return nil
}

func ruleDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDelay {
		return 0, fmt.Errorf("%s is not a duration from 0 to %s, such as 200ms", quote(text), maxDelay)
	}
	return d, nil
}

func ruleNumber(text string, lo, hi uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("%s is not a whole number from %d to %d", quote(text), lo, hi)
	}
	return n, nil
}
