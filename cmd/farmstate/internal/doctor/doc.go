// Package doctor says what is wrong with a node, its farm, its machine and the web.config of the applications, what that means for users, and what to do.
//
// [Gather] asks for all that can be known and makes a [Picture] of it. The checks judge the picture and nothing else: they neither ask nor wait, so each is
// tested by made-up pictures. docs/doctor.md lists them.
package doctor
