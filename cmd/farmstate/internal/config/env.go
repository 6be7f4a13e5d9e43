package config

import "strings"

// envPrefix begins the name of every environment variable of farmstate.
const envPrefix = "FARMSTATE_"

// FileEnv names the configuration file, as --config does.
const FileEnv = envPrefix + "CONFIG"

// fromEnv takes the values that environ (as os.Environ gives it) has for the
// options of the table. A variable that is set but empty counts as not set,
// because that is how compose files and unit files spell "nothing here",
// except for an option that knows what an empty value means.
func fromEnv(environ []string) (values map[string][]string) {
	values = make(map[string][]string)
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		o := optionByEnv(name)
		if o == nil || text == "" && !o.Off {
			continue
		}
		values[o.Name] = []string{text}
	}
	return values
}

func optionByEnv(name string) *Option {
	rest, ok := strings.CutPrefix(name, envPrefix)
	if !ok || rest != strings.ToUpper(rest) {
		return nil
	}
	return Lookup(strings.ToLower(rest))
}

// Misspelt finds variables that begin with FARMSTATE_, are no option, and
// look like one: each with the name that was probably meant. Others are left
// alone, since a container platform may set variables such as
// FARMSTATE_SERVICE_HOST on its own.
func Misspelt(environ []string) map[string]string {
	names := make([]string, len(Table))
	for i := range Table {
		names[i] = Table[i].Name
	}
	found := make(map[string]string)
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || name == FileEnv || optionByEnv(name) != nil {
			continue
		}
		if near := nearest(rest, names); near != "" {
			found[name] = Lookup(near).Env()
		}
	}
	return found
}
