// Package machine tells what a node has to know about the machine that it
// runs on: how much memory it may take, and which ports the system hands out
// by itself.
package machine
