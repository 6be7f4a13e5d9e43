package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Parameter is what an action takes in its query. An action does nothing when it is asked with anything else: what somebody has misspelt may be what mattered.
type Parameter struct {
	Name string
	What string            // what a value is, for people
	Need bool              // it may not be left out
	Good func(string) bool // reports whether that is a value
}

// Flag is a parameter that is true or false, and false if it is left out.
func Flag(name string) Parameter {
	p := Choice(name, "true", "false")
	p.Need = false
	return p
}

// Choice is one of some words.
func Choice(name string, words ...string) Parameter {
	last := len(words) - 1
	return Parameter{name, strings.Join(words[:last], ", ") + " or " + words[last], true, func(text string) bool { return slices.Contains(words, text) }}
}

// Number is a number from 0 on of at most so many bits.
func Number(name, what string, bits int) Parameter {
	return Parameter{name, what, true, func(text string) bool {
		_, err := strconv.ParseUint(text, 10, bits)
		return err == nil
	}}
}

// Text is any text but an empty one.
func Text(name, what string) Parameter {
	return Parameter{name, what, true, func(text string) bool { return text != "" }}
}

// misasked says what is wrong with a query for an action that takes these; nil if nothing is. No value stands in it: one may be the key of a session.
func misasked(query string, takes []Parameter) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("the query cannot be read: parameters are name=value with & between; the action takes %s", listed(takes))
	}
	for name := range given {
		if !slices.ContainsFunc(takes, func(p Parameter) bool { return p.Name == name }) {
			return fmt.Errorf("the action has no parameter %.40q; it takes %s", name, listed(takes))
		}
	}
	for _, p := range takes {
		switch values := given[p.Name]; {
		case len(values) == 0 && !p.Need:
		case len(values) != 1 || !p.Good(values[0]):
			return fmt.Errorf("the parameter %s has to be there once, as %s; the action takes %s", p.Name, p.What, listed(takes))
		}
	}
	return nil
}

// listed is what an action takes, for people.
func listed(takes []Parameter) string {
	if len(takes) == 0 {
		return "no parameters"
	}
	var all []string
	for _, p := range takes {
		text := p.Name + " (" + p.What
		if !p.Need {
			text += "; may be left out"
		}
		all = append(all, text+")")
	}
	return strings.Join(all, ", ")
}
