// Package webconfig reads what a web.config of ASP.NET says about sessions, and what else bears on them: machine keys, execution timeouts, cookies. It judges
// nothing; package doctor does.
//
// Files come from strangers' machines: they are bounded in size and depth, no entity is expanded and nothing else is opened. Keys are kept as digests alone.
package webconfig
