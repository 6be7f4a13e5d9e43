// Package hostile sets a node that has the farm's secret, and means no good, on a real one. What such a node may do, see docs/security.md: it can read, take and
// plant sessions. What it must not be able to do is tested here: to bring the process down, to harm those whose sessions it has not asked for, and to leave
// anything behind.
package hostile
