package doctor

// Check is one thing that is looked at.
type Check struct {
	ID    string // stable: scripts and documents use it
	Group string // what checks that belong together are listed under
	Good  string // what is said if nothing was found
	when  func(*Picture) bool
	run   func(*Picture, *findings)
}

// Checks lists all checks, in the order in which they run.
func Checks() []Check { return append([]Check(nil), checks...) }

// When checks apply.

func always(*Picture) bool      { return true }
func anyNode(p *Picture) bool   { return len(p.live()) > 0 }
func anyTold(p *Picture) bool   { return len(p.told()) > 0 }
func aFarm(p *Picture) bool     { return len(p.Nodes) > 1 && len(p.live()) > 0 }
func hasConfig(p *Picture) bool { return p.Config != nil || len(p.Problems) > 0 }
func anyWeb(p *Picture) bool    { return len(p.Web)+len(p.WebBad) > 0 }
func twoWebs(p *Picture) bool   { return len(p.Web) > 1 }

// The groups.
const (
	groupMachine  = "Ports and configuration"
	groupReach    = "Who reaches whom"
	groupTrust    = "Secrets, settings and versions"
	groupRoom     = "Memory, connections and limits"
	groupCopies   = "Copies and snapshots"
	groupSessions = "Applications and their sessions"
	groupNode     = "The nodes themselves"
	groupWeb      = "web.config"
)

// checks in the order in which they run.
var checks = []Check{
	{"node", groupMachine, "a node answers at the address of its admin pages", always, checkNode},
	{"token", groupMachine, "the token is right: nothing is left out", anyNode, checkToken},
	{"config", groupMachine, "the configuration is accepted without warnings", hasConfig, checkConfig},
	{"port-open", groupMachine, "the ports are open, or can be opened", always, checkPortOpen},
	{"port-reserved", groupMachine, "no program can get the ports by chance", always, checkPortReserved},

	{"peer-secret", groupTrust, "nobody was refused for another secret", anyTold, checkSecret},
	{"peer-refused", groupTrust, "no node was refused for another reason", anyTold, checkRefused},
	{"peer-allow", groupTrust, "no node was kept out by peer_allow or allow", anyTold, checkPeerAllow},
	{"allow", groupTrust, "no web server was kept out by allow", anyTold, checkAllow},
	{"version", groupTrust, "all nodes run the same version", aFarm, checkVersion},
	{"settings", groupTrust, "the nodes agree about the settings that they have to share", aFarm, checkSettings},

	{"node-readable", groupReach, "all nodes of the farm tell about themselves", anyNode, checkReadable},
	{"port-reachable", groupReach, "all ports that were tried from here take connections", anyNode, checkReachable},
	{"links", groupReach, "each link is there at both ends", anyTold, checkLinks},
	{"members", groupReach, "all members live and see each other", anyNode, checkMembers},
	{"peers", groupReach, "all nodes of peer and join are there", anyTold, checkPeers},
	{"gossip-udp", groupReach, "gossip gets through by UDP", anyTold, checkUDP},
	{"gossip-health", groupReach, "the nodes answer gossip in time", anyNode, checkGossipHealth},
	{"advertised-loopback", groupReach, "no node tells other machines a loopback address", anyTold, checkLoopback},
	{"clock", groupReach, "the clocks agree to 2 seconds", anyNode, checkClock},

	{"descriptors", groupRoom, "there are descriptors for max_connections", anyNode, checkDescriptors},
	{"connections", groupRoom, "there is room for more connections", anyNode, checkConnections},
	{"memory-limit", groupRoom, "max_memory fits into the memory of the machine", anyTold, checkMemoryLimit},
	{"memory-full", groupRoom, "there is memory for more sessions, and no save was refused", anyNode, checkMemoryFull},
	{"swap", groupRoom, "nothing of the nodes is swapped out", anyTold, checkSwap},

	{"copies", groupCopies, "sessions have the copies that they shall have", anyNode, checkCopies},
	{"repair", groupCopies, "no copies are being made anew", anyNode, checkRepair},
	{"ack", groupCopies, "changes are answered when their copies are made", anyNode, checkAck},
	{"quarantine", groupCopies, "the quarantine is empty", anyNode, checkQuarantine},
	{"snapshots", groupCopies, "snapshots are written, or other nodes have copies", anyTold, checkSnapshots},

	{"near-miss", groupSessions, "no session was asked for under another application key", anyTold, checkNearMiss},
	{"split-application", groupSessions, "no two applications look like one", anyNode, checkSplit},
	{"never-read", groupSessions, "sessions are read again after they were created", anyNode, checkNeverRead},
	{"session-timeout", groupSessions, "the timeouts of the applications are usual ones", anyNode, checkTimeout},
	{"locks-left", groupSessions, "no lock is older than stale_lock", anyNode, checkLocks},
	{"lock-waits", groupSessions, "pages get their locks in time", anyTold, checkWaits},
	{"latency", groupSessions, "99 of 100 requests take less than 100 ms", anyNode, checkLatency},
	{"malformed", groupSessions, "all requests were well-formed", anyNode, checkMalformed},

	{"ready", groupNode, "all nodes are ready", anyNode, checkReady},
	{"originals", groupNode, "no originals are linked", anyNode, checkOriginals},
	{"log-level", groupNode, "no node logs details", anyNode, checkLogLevel},
	{"events-lost", groupNode, "all events were logged", anyTold, checkLost},

	{"web-file", groupWeb, "the files are well-formed, and all of them was read", anyWeb, checkWebFile},
	{"web-mode", groupWeb, "the applications use a state server", anyWeb, checkWebMode},
	{"web-connection", groupWeb, "the connection strings lead to nodes", anyWeb, checkWebConnection},
	{"web-network-timeout", groupWeb, "stateNetworkTimeout leaves room for searches and locks", anyWeb, checkWebNetworkTimeout},
	{"web-timeout", groupWeb, "the session timeouts are usual ones", anyWeb, checkWebTimeout},
	{"web-cookie", groupWeb, "browsers keep and send the session's cookie", anyWeb, checkWebCookie},
	{"web-leftovers", groupWeb, "nothing is left of other ways to keep sessions", anyWeb, checkWebLeftovers},
	{"web-execution-timeout", groupWeb, "pages end before their locks count as left behind", anyWeb, checkWebExecution},
	{"web-machine-key", groupWeb, "the machine keys are written out", anyWeb, checkWebMachineKey},
	{"web-differ", groupWeb, "the files agree about what has to be the same", twoWebs, checkWebDiffer},
}
