// Package winsvc is what a node tells the service manager of Windows, and what
// of its log goes to the Event Log. It decides and calls nothing of Windows, so
// that it can be tried everywhere.
//
//	manager ─ Control ─▶ Machine ─ Status ─▶ manager
//	node ─ Starting, Ready, Stopping ─▶ │
package winsvc
