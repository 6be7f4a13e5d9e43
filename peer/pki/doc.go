// Package pki makes the certificates of a farm: one certificate authority, and a certificate for each node. It is `farmstate cert`, without the command
// line. Any CA will do in its place; what a node's certificate must have is in docs/peer-protocol.md.
//
// Keys are ECDSA P-256, files are PEM, and files with a key can be read by their owner alone. Nothing is ever overwritten.
package pki
