// Package config is the configuration of a node: one table of options, and
// everything that is made of that table.
//
// The command line flags, the environment variables, the keys of the TOML
// file, their help, the effective configuration that is printed and
// docs/configuration.md all come from [Table], so an option cannot be spelled
// or documented in two ways. A value may come from four places; the first that
// has one wins:
//
//	flag > environment > file > default
//
// All values, wherever they come from, are texts read by the parser of their
// option, so that a mistake gets the same sentence everywhere: where it
// stands, the option, the value, what is wrong with it, what is accepted.
package config
