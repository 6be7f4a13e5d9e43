// Package metrics shows the counts of a node to Prometheus. The names and
// labels are a contract with dashboards and alerts: they are only added to.
// No label has a value that a client can make up.
package metrics
