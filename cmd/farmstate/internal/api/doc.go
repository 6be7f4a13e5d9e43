// Package api has the types of the admin pages' JSON, for the node that writes it and for the commands and nodes that read it. Fields are only added to: a program
// of another version may be at the other end, so readers ignore fields that they do not know.
//
// Sessions are shown by the beginning of their id. Their whole keys, with which one could take them over, are shown to callers with the admin token alone.
package api
