package main

import (
	"io"
	"strings"
)

// writeBash writes a script for bash 3.2 and later; it needs nothing beside.
func writeBash(w io.Writer, model []completion) error {
	s := &scriptWriter{w: w}
	s.line("# bash completion of farmstate; made by: farmstate completion bash")
	s.line("")
	writeKinds(s, model)
	s.line("_farmstate() {")
	s.line("    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at='' i=1 word list kind subs flags")
	s.line("    if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi")
	s.line("    while ((i < COMP_CWORD)); do")
	s.line("        word=${COMP_WORDS[i]}")
	s.line("        case $word in")
	s.line("        -*)")
	s.line("            _farmstate_kind \"$at $word\"")
	s.line("            if [[ $kind != none && ${COMP_WORDS[i+1]} == '=' ]]; then ((i += 2)); elif [[ $kind != none ]]; then ((i += 1)); fi ;;")
	s.line("        *)")
	s.line("            _farmstate_words \"$at\"")
	s.line("            if [[ \" $subs \" == *\" $word \"* ]]; then at=\"${at:+$at }$word\"; fi ;;")
	s.line("        esac")
	s.line("        ((i += 1))")
	s.line("    done")
	s.line("    COMPREPLY=()")
	s.line("    _farmstate_words \"$at\"")
	s.line("    if [[ $cur == -* ]]; then")
	s.line("        COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))")
	s.line("        return")
	s.line("    fi")
	s.line("    kind=none")
	s.line("    if [[ $prev == -* ]]; then _farmstate_kind \"$at $prev\"; fi")
	s.line("    if [[ $kind == none ]]; then")
	s.line("        if [[ -n $subs ]]; then")
	s.line("            COMPREPLY=($(compgen -W \"$subs\" -- \"$cur\"))")
	s.line("            return")
	s.line("        fi")
	s.line("        _farmstate_kind \"$at\"")
	s.line("    fi")
	s.line("    case $kind in")
	s.line("    words) COMPREPLY=($(compgen -W \"$list\" -- \"$cur\")) ;;")
	s.line("    file)")
	s.line("        compopt -o filenames 2>/dev/null")
	s.line("        while IFS= read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen -f -- \"$cur\") ;;")
	s.line("    esac")
	s.line("}")
	s.line("")
	s.line("complete -F _farmstate farmstate farmstate.exe")
	return s.err
}

// writeKinds writes what bash and zsh have in common: functions that look up what can stand behind a command, and behind a flag or, without one, as an argument.
func writeKinds(s *scriptWriter, model []completion) {
	s.line("# sets subs and flags to what can stand behind a command")
	s.line("_farmstate_words() {")
	s.line("    subs='' flags=''")
	s.line("    case \"$1\" in")
	for i := range model {
		c := &model[i]
		var subs []string
		for _, sub := range c.subs {
			subs = append(subs, sub.text)
		}
		s.line("    '%s') subs='%s' flags='%s' ;;", c.path, strings.Join(subs, " "), strings.Join(c.flagTexts(), " "))
	}
	s.line("    esac")
	s.line("}")
	s.line("")
	s.line("# sets kind, and list, to what can stand behind a flag of a command, or be its argument")
	s.line("_farmstate_kind() {")
	s.line("    kind=none list=''")
	s.line("    case \"$1\" in")
	clause := func(keys []string, does string) {
		if len(keys) > 0 {
			s.line("    %s) %s ;;", quoted(keys, "|"), does)
		}
	}
	ofKind := func(kind argumentKind) []string {
		keys := flagKeys(model, func(a argument) bool { return a.kind == kind })
		for _, c := range model {
			if c.path != "" && c.args.kind == kind && kind != argumentNone {
				keys = append(keys, c.path)
			}
		}
		return keys
	}
	clause(ofKind(argumentAny), "kind=any")
	clause(ofKind(argumentFile), "kind=file")
	lists, keys := wordKeys(model)
	for _, list := range lists {
		clause(keys[list], "kind=words list='"+list+"'")
	}
	for _, c := range model {
		if c.args.kind == argumentWords {
			clause([]string{c.path}, "kind=words list='"+strings.Join(c.args.words, " ")+"'")
		}
	}
	s.line("    esac")
	s.line("}")
	s.line("")
}

// writeZsh writes a script for zsh, which can be sourced or put in a folder of fpath.
func writeZsh(w io.Writer, model []completion) error {
	s := &scriptWriter{w: w}
	s.line("#compdef farmstate")
	s.line("# zsh completion of farmstate; made by: farmstate completion zsh")
	s.line("")
	writeKinds(s, model)
	s.line("# sets lines to words with what they mean")
	s.line("_farmstate_lines() {")
	s.line("    lines=()")
	s.line("    case \"$1\" in")
	for _, c := range model {
		var subs, flags []string
		for _, sub := range c.subs {
			subs = append(subs, sub.text+":"+sub.help)
		}
		for _, f := range c.flags {
			flags = append(flags, f.text+":"+f.help)
		}
		if len(subs) > 0 {
			s.line("    '%s subs') lines=(%s) ;;", c.path, quoted(subs, " "))
		}
		s.line("    '%s flags') lines=(%s) ;;", c.path, quoted(flags, " "))
	}
	s.line("    esac")
	s.line("}")
	s.line("")
	s.line("_farmstate() {")
	s.line("    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} at='' word list kind subs flags")
	s.line("    local -a lines")
	s.line("    integer i=2")
	s.line("    while ((i < CURRENT)); do")
	s.line("        word=${words[i]}")
	s.line("        case $word in")
	s.line("        -*=*) ;;")
	s.line("        -*)")
	s.line("            _farmstate_kind \"$at $word\"")
	s.line("            if [[ $kind != none ]]; then ((i += 1)); fi ;;")
	s.line("        *)")
	s.line("            _farmstate_words \"$at\"")
	s.line("            if [[ \" $subs \" == *\" $word \"* ]]; then at=\"${at:+$at }$word\"; fi ;;")
	s.line("        esac")
	s.line("        ((i += 1))")
	s.line("    done")
	s.line("    _farmstate_words \"$at\"")
	s.line("    kind=none")
	s.line("    if [[ $cur == -*=* ]]; then")
	s.line("        _farmstate_kind \"$at ${cur%%%%=*}\"")
	s.line("        compset -P '*='")
	s.line("    elif [[ $cur == -* ]]; then")
	s.line("        _farmstate_lines \"$at flags\"")
	s.line("        _describe flag lines")
	s.line("        return")
	s.line("    elif [[ $prev == -* && $prev != *=* ]]; then")
	s.line("        _farmstate_kind \"$at $prev\"")
	s.line("    fi")
	s.line("    if [[ $kind == none && -n $subs ]]; then")
	s.line("        _farmstate_lines \"$at subs\"")
	s.line("        _describe command lines")
	s.line("        return")
	s.line("    fi")
	s.line("    if [[ $kind == none ]]; then _farmstate_kind \"$at\"; fi")
	s.line("    case $kind in")
	s.line("    words) compadd -- ${=list} ;;")
	s.line("    file) _files ;;")
	s.line("    esac")
	s.line("}")
	s.line("")
	s.line("if [[ $funcstack[1] == _farmstate ]]; then")
	s.line("    _farmstate \"$@\"")
	s.line("else")
	s.line("    compdef _farmstate farmstate")
	s.line("fi")
	return s.err
}
