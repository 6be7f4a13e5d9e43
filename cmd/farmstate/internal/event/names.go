package event

import "slices"

// Names are the names of all events, in order; a test in docs compares them with the code.
func Names() []string { return slices.Clone(all) }

var all = []string{
	"accept_failed", "admin_crowded", "admin_denied", "admin_off", "admin_refused", "admin_stopped", "admin_token", "certificate_bad", "certificate_changed",
	"configuration_warning", "copy_backlog", "copy_refused", "copy_resync", "drain_ended", "drain_started", "farm_fault", "farm_off", "fault", "gops",
	"gossip", "gossip_join_failed", "gossip_leave_unheard", "gossip_no_udp", "gossip_not_allowed", "gossip_shutdown_error", "gossip_trouble",
	"gossip_wrong_secret", "lock_broken", "lock_left", "log_dropped", "log_level", "malformed", "member_dead", "member_ignored", "member_joined",
	"member_left", "member_refuted", "member_suspected", "move_called_off", "near_miss", "no_memory_limit", "not_allowed", "original_bad_host",
	"original_down", "original_move", "original_refused", "original_uncertain", "original_unreachable", "original_up", "peer_accept_failed",
	"peer_down", "peer_gone", "peer_refused", "peer_self", "peer_shutdown_error", "peer_unreachable", "peer_up", "quarantine_dropped", "ready", "save_refused",
	"search_undecided", "serve_failed", "session_arrived", "session_conflict", "session_left", "session_recovered", "session_superseded",
	"session_taken_over", "sessions_lost", "settings", "shutdown_error", "snapshot_damaged", "snapshot_failed", "snapshot_loaded", "snapshot_no_room",
	"snapshot_plain", "snapshot_removed", "snapshot_written", "state_port_failed", "stopped", "stopping", "too_many_connections", "unknown_variable",
	"watchdog_failed",
}
