// Package top makes what people look at from the pages of a farm's nodes: a table of the nodes with figures from the differences between two looks, what is wrong
// and what to do about it, the longest locks, the busiest applications and sessions, the latest events; and the live view of all of these, which is farmstate top.
//
// Nothing here asks anybody: pages come in, texts go out.
package top
