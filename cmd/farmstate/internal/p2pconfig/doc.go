// Package p2pconfig reads the configuration of the original peer-to-peer state
// server, a .NET .config file, and writes it as a configuration of farmstate.
//
// The file is taken for hostile: entities are not expanded, a document type is
// refused, and nesting and size are bounded. What is written is accepted by
// `farmstate config check`, whatever was read.
//
// docs/migration-p2p.md has the table of settings.
package p2pconfig
