package main

import (
	"io"
	"strings"
)

// writeFish writes a script for fish.
func writeFish(w io.Writer, model []completion) error {
	s := &scriptWriter{w: w}
	s.line("# fish completion of farmstate; made by: farmstate completion fish")
	s.line("")
	var paths []string
	for _, c := range model[1:] {
		paths = append(paths, c.path)
	}
	s.line("# the command that the words so far call")
	s.line("function __farmstate_at")
	s.line("    set -l known %s", quoted(paths, " "))
	s.line("    set -l at ''")
	s.line("    for word in (commandline -opc)[2..-1]")
	s.line("        set -l next (string trim -- \"$at $word\")")
	s.line("        if contains -- $next $known")
	s.line("            set at $next")
	s.line("        end")
	s.line("    end")
	s.line("    test \"$at\" = \"$argv[1]\"")
	s.line("end")
	s.line("")
	s.line("complete -c farmstate -f")
	for _, c := range model {
		at := "-n \"__farmstate_at '" + c.path + "'\""
		for _, sub := range c.subs {
			s.line("complete -c farmstate %s -a '%s' -d '%s'", at, sub.text, sub.help)
		}
		for _, f := range c.flags {
			short := ""
			if f.short != "" {
				short = " -s " + strings.TrimPrefix(f.short, "-")
			}
			s.line("complete -c farmstate %s -l %s%s%s -d '%s'", at, strings.TrimPrefix(f.text, "--"), short, fishValue(f.value, " -x", " -r -F"), f.help)
		}
		if value := fishValue(c.args, "", " -F"); value != "" {
			s.line("complete -c farmstate %s%s", at, value)
		}
	}
	return s.err
}

// fishValue says what can stand for a value: words, or anything, or files.
func fishValue(a argument, anything, files string) string {
	switch a.kind {
	case argumentFile:
		return files
	case argumentWords:
		return anything + " -a '" + strings.Join(a.words, " ") + "'"
	case argumentAny:
		return anything
	}
	return ""
}

// writePowerShell writes a script for PowerShell 5 and later.
func writePowerShell(w io.Writer, model []completion) error {
	s := &scriptWriter{w: w}
	s.line("# PowerShell completion of farmstate; made by: farmstate completion powershell")
	s.line("")
	s.line("Register-ArgumentCompleter -Native -CommandName farmstate, farmstate.exe -ScriptBlock {")
	s.line("    param($wordToComplete, $commandAst, $cursorPosition)")
	s.line("    $subs = @{")
	for _, c := range model {
		if len(c.subs) > 0 {
			s.line("        '%s' = @(%s)", c.path, powerWords(c.subs))
		}
	}
	s.line("    }")
	s.line("    $flags = @{")
	for _, c := range model {
		var words []word
		for _, f := range c.flags {
			words = append(words, f.word)
		}
		s.line("        '%s' = @(%s)", c.path, powerWords(words))
	}
	s.line("    }")
	s.line("    # what can stand behind a flag; behind those that are not here, anything; files are completed by the shell")
	s.line("    $values = @{")
	lists, keys := wordKeys(model)
	for _, list := range lists {
		for _, key := range keys[list] {
			s.line("        '%s' = @(%s)", key, quoted(strings.Fields(list), ", "))
		}
	}
	for _, c := range model {
		if c.args.kind == argumentWords {
			s.line("        '%s' = @(%s)", c.path, quoted(c.args.words, ", "))
		}
	}
	s.line("    }")
	s.line("    $valued = @(%s)", quoted(flagKeys(model, func(a argument) bool { return a.kind != argumentNone }), ", "))
	s.line("    $at = ''")
	s.line("    $before = ''")
	s.line("    $skip = $true # the name of the program")
	s.line("    foreach ($element in $commandAst.CommandElements) {")
	s.line("        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete -ne '') { break }")
	s.line("        $word = $element.ToString()")
	s.line("        $before = $word")
	s.line("        if ($skip) { $skip = $false; continue }")
	s.line("        if ($word.StartsWith('-')) { $skip = $valued -contains \"$at $word\"; continue }")
	s.line("        if ($subs.ContainsKey($at) -and ($subs[$at] | Where-Object { $_[0] -eq $word })) { $at = \"$at $word\".Trim() }")
	s.line("    }")
	s.line("    $found = @()")
	s.line("    if ($wordToComplete.StartsWith('-')) {")
	s.line("        $found = $flags[$at]")
	s.line("    } elseif ($valued -contains \"$at $before\") {")
	s.line("        $found = @($values[\"$at $before\"] | ForEach-Object { , @($_, $_) })")
	s.line("    } elseif ($subs.ContainsKey($at)) {")
	s.line("        $found = $subs[$at]")
	s.line("    } elseif ($values.ContainsKey($at)) {")
	s.line("        $found = @($values[$at] | ForEach-Object { , @($_, $_) })")
	s.line("    }")
	s.line("    $found | Where-Object { $_ -and $_[0] -like \"$wordToComplete*\" } | ForEach-Object {")
	s.line("        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])")
	s.line("    }")
	s.line("}")
	return s.err
}

// powerWords are words with their help, as a list of pairs.
func powerWords(words []word) string {
	var pairs []string
	for _, w := range words {
		help := w.help
		if help == "" {
			help = w.text // a tool tip must not be empty
		}
		pairs = append(pairs, "@('"+w.text+"', '"+help+"')")
	}
	if len(pairs) == 1 {
		return ", " + pairs[0] // a list of one pair would be taken for the pair
	}
	return strings.Join(pairs, ", ")
}
