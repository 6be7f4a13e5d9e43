package config

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A list is a setting with a structure: any number of tables of one form. It
// lives in the file only.
//
// Static after init.
type list struct {
	name string // as in [[name]]
	item string // what one of them is called in messages
	keys []listKey
}

// listKey is a key that the tables of a list may have.
type listKey struct {
	name    string
	kind    kind // kindText or kindBoolean
	accepts string
	secret  bool // messages do not show its value
}

var aliases = &list{"alias", "alias", []listKey{
	{name: "from", kind: kindText, accepts: "an application id, such as /LM/W3SVC/1/ROOT"},
	{name: "to", kind: kindText, accepts: "an application id, such as /LM/W3SVC/1/ROOT"},
}}

var legacyPeers = &list{"legacy_peer", "legacy peer", []listKey{
	{name: "address", kind: kindText, accepts: peerForm},
	{name: "authenticate", kind: kindBoolean, accepts: "true, false"},
	{name: "encrypt", kind: kindBoolean, accepts: "true, false"},
	{name: "password", kind: kindText, accepts: "a string", secret: true},
	{name: "password_file", kind: kindText, accepts: "the name of a file"},
}}

// lists are all lists, in the order in which they are shown.
var lists = []*list{aliases, legacyPeers}

// listOf finds a list by its name; nil when there is none.
func listOf(name string) *list {
	for _, l := range lists {
		if l.name == name {
			return l
		}
	}
	return nil
}

// advice is what to do instead of writing the list in another form.
func (l *list) advice() string {
	return "begin each " + l.item + " with [[" + l.name + "]]"
}

func (l *list) key(name string) *listKey {
	for i := range l.keys {
		if l.keys[i].name == name {
			return &l.keys[i]
		}
	}
	return nil
}

func (l *list) keyNames() []string {
	names := make([]string, len(l.keys))
	for i := range l.keys {
		names[i] = l.keys[i].name
	}
	return names
}

// fileItem is one table of a list as it was written.
type fileItem struct {
	list   *list
	line   int // of its head
	values map[string]itemValue
}

// itemValue is what a table of a list has for a key.
type itemValue struct {
	text string
	line int
	bad  bool // it was reported already
}

// text is the value of a key; empty if it is not there, or was reported.
func (i *fileItem) text(key string) string {
	return i.values[key].text
}

// at is the line of a key; that of the head if the key is not there.
func (i *fileItem) at(key string) int {
	if v, ok := i.values[key]; ok {
		return v.line
	}
	return i.line
}

func (i *fileItem) has(key string) bool {
	_, ok := i.values[key]
	return ok
}

// begin meets a table of a list.
func (r *fileReader) begin(l *list, line int) *fileItem {
	i := &fileItem{list: l, line: line, values: make(map[string]itemValue)}
	r.items = append(r.items, i)
	return i
}

// itemsOf are the tables of a list, in the order in which they were written.
func (r *fileReader) itemsOf(l *list) (items []*fileItem) {
	for _, i := range r.items {
		if i.list == l {
			items = append(items, i)
		}
	}
	return items
}

// itemValue meets a key of a table of a list.
func (r *fileReader) itemValue(i *fileItem, name string, line int, value *unstable.Node) {
	k, path := i.list.key(name), i.list.name+"."+name
	if k == nil {
		names := i.list.keyNames()
		r.report(line, path, "unknown key%s; accepted: %s", didYouMean(name, names), strings.Join(names, ", "))
		return
	}
	if first, ok := i.values[name]; ok {
		r.report(line, path, "is set again; the first time is on line %d", first.line)
		return
	}
	texts, err := texts(k.kind, value)
	if err != nil {
		if k.secret {
			err = errors.New("is not a string")
		}
		r.report(line, path, "%s; accepted: %s", err, k.accepts)
		i.values[name] = itemValue{line: line, bad: true}
		return
	}
	i.values[name] = itemValue{text: texts[0], line: line}
}

// inlineItems meets alias = [{from = "…", to = "…"}].
func (r *fileReader) inlineItems(l *list, line int, value *unstable.Node) {
	if value.Kind != unstable.Array {
		r.report(line, l.name, "is %s; %s", describe(value), l.advice())
		return
	}
	for tables := value.Children(); tables.Next(); {
		table := tables.Node()
		if table.Kind != unstable.InlineTable {
			r.report(line, l.name, "holds %s; %s", describe(table), l.advice())
			continue
		}
		i := r.begin(l, line)
		for pairs := table.Children(); pairs.Next(); {
			key, at := r.key(pairs.Node())
			r.itemValue(i, key, at, pairs.Node().Value())
		}
	}
}
