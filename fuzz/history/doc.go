// Package history tests farms of real farmstate processes by what their clients see: histories of requests that no order of execution explains, users who
// are held up by others, sessions that a restart loses.
package history
