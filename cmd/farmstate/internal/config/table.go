package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// The groups of the table, in the order in which they are shown.
const (
	groupNetwork   = "Who may connect"
	groupFarm      = "The farm"
	groupCopies    = "Copies"
	groupLimits    = "Connections and their limits"
	groupSessions  = "Sessions"
	groupClients   = "What clients see"
	groupOperation = "Running"
)

// transports that the state port can run on.
var transports = []string{"auto", "gnet", "std"}

// acks are the times at which a change is answered.
var acks = []string{"all", "one", "none"}

// logFormats of the log on standard error.
var logFormats = []string{"text", "json"}

// Table is every option of a node, in the order in which they are shown.
//
// The lists with a structure, [[alias]] and [[legacy_peer]], stand beside it:
// they live in the file only. The option config is another: it says where the file
// is, so it cannot stand in it.
//
// Static after init.
var Table = []Option{
	{
		Name: "listen", Group: groupNetwork, Meta: "ADDR", Default: "127.0.0.1:42424",
		Help: "Address of the state port, where the web servers connect; port 0 takes a free port",
		Detail: "An address that other machines can reach is refused without `allow`: the protocol has no authentication, so whoever\n" +
			"reaches the port can read and change every session. An empty host (`:42424`) means every address of this machine.\n\n" +
			"42424 is the port that ASP.NET uses when nothing else is configured. On Linux it lies in the usual range for outgoing\n" +
			"connections, so another program may have it by chance when farmstate starts. Reserve it:\n" +
			"`sysctl -w net.ipv4.ip_local_reserved_ports=42424` (the setting is a list with commas; add to what is there).\n" +
			"On Windows: `netsh int ipv4 add excludedportrange protocol=tcp startport=42424 numberofports=1`.",
		value: text("HOST:PORT, such as 127.0.0.1:42424, [::1]:42424 or :42424",
			parseListen, identity, func(c *Config) *string { return &c.Listen }),
	},
	{
		Name: "allow", Group: groupNetwork, Meta: "NET", Default: "",
		Help: "Network or address that may connect, besides this machine over its loopback addresses; may be repeated",
		Detail: "The list holds for the state port, for the admin pages, and, as long as `peer_allow` is empty, for the peer port. A client on this machine that connects to one of the machine's\n" +
			"other addresses needs to be listed like any other. A connection from elsewhere is closed at once, and counted.",
		value: networks{func(c *Config) *[]netip.Prefix { return &c.Allow }},
	},
	{
		Name: "admin", Group: groupNetwork, Meta: "ADDR", Default: "127.0.0.1:42480",
		Help: "Address of the admin pages (HTTP); off switches them off",
		Detail: "When nobody set this option and the port is taken, the node warns and runs without admin pages. When it was set and the\n" +
			"port is taken, the node does not start.",
		Off: true,
		value: text("HOST:PORT, such as 127.0.0.1:42480, or off",
			parseListenOrOff, formatListenOrOff, func(c *Config) *string { return &c.Admin }),
	},
	{
		Name: "admin_token_file", Group: groupNetwork, Meta: "FILE", Default: "",
		Help: "File with the token that actions on the admin pages need; empty makes one at each start",
		Detail: "The token is what the file holds without the white space at its ends: at least 16 bytes, at most 4 KiB, without blanks.\n" +
			"`openssl rand -hex 32` writes a good one. Give all nodes of a farm the same: the dashboard of one node then acts on the others,\n" +
			"too. Without this option the node makes a token, and keeps it for commands of the same account on the same machine in a file\n" +
			"that the event `admin_token` names. Reading needs no token; whole session ids and contents do.",
		value: fileName(func(c *Config) *string { return &c.AdminTokenFile }),
	},
	{
		Name: "gops", Group: groupNetwork, Default: "false",
		Help:   "Start the gops agent on a free loopback port",
		Detail: "With the agent, `gops` on the same machine can show stacks, memory and profiles of the process. Its address is logged.",
		value:  boolean(func(c *Config) *bool { return &c.Gops }),
	},
	{
		Name: "standalone", Group: groupFarm, Default: "false",
		Help: "Run without a farm: nothing listens on the peer port, and no other node is asked",
		Detail: "Not together with `peer`, `join`, `[[legacy_peer]]`, or `copies` above 1; nor with a flag or a variable of the environment for any other\n" +
			"option of the farm or the copies, but `peer_listen`. Those are left alone in a file, which may be that of all nodes, and in whatever is overruled: the\n" +
			"flag `--standalone` makes a node stand alone for once with the file of a farm that names no nodes. The same holds without `standalone` if\n" +
			"`peer_listen` is off and no other node is named.",
		value: boolean(func(c *Config) *bool { return &c.Standalone }),
	},
	{
		Name: "peer_listen", Group: groupFarm, Meta: "ADDR", Default: "127.0.0.1:42425",
		Help: "Address of the peer port, where other nodes connect; off switches it off, port 0 takes a free port",
		Detail: "An address that other machines can reach is refused unless links are protected, by `peer_secret_file` or by certificates, or\n" +
			"`insecure` is set. `peer_allow` says who may connect.\n\n" +
			"When nobody set this option and the port is taken, the node warns and runs without a farm. When it was set and the port is\n" +
			"taken, or when there are peers in the configuration, the node does not start.",
		Off: true,
		value: text("HOST:PORT, such as 127.0.0.1:42425, [::1]:42425 or :42425, or off",
			parseListenOrOff, formatListenOrOff, func(c *Config) *string { return &c.PeerListen }),
	},
	{
		Name: "peer", Group: groupFarm, Meta: "HOST:PORT", Default: "",
		Help: "Peer port of another node to keep a link to; may be repeated",
		Detail: "One of two nodes is enough to list the other: the link serves both. Any topology will do in which every node can be reached\n" +
			"from every other within `max_forwards` hops. A peer on another machine needs the same protection as `peer_listen`.\n\n" +
			"For servers that still run the original peer-to-peer state server, see `[[legacy_peer]]`.",
		value: peerList{func(c *Config) *[]string { return &c.Peers }},
	},
	{
		Name: "join", Group: groupFarm, Meta: "HOST:PORT", Default: "",
		Help: "Gossip port of another node, by which all nodes of the farm are found; may be repeated",
		Detail: "One node that lives is enough: it knows the others, and all are linked to each other. Name two or three, the same on every\n" +
			"node; a node that meets itself leaves that address alone. Host names are looked up anew each time, and all addresses of a\n" +
			"name are tried. A node that finds nobody goes on, and goes on looking. A node on another machine needs `peer_secret_file`,\n" +
			"and `peer_listen` at an address that others can reach. See [Membership](topologies.md#membership).",
		value: peerList{func(c *Config) *[]string { return &c.Join }},
	},
	{
		Name: "gossip_listen", Group: groupFarm, Meta: "ADDR", Default: "auto",
		Help: "Address for gossip about who is in the farm, TCP and UDP; off switches it off, port 0 takes a free port",
		Detail: "`auto` is off without `join`. With it, it is port 42426 at the host of `peer_listen` (127.0.0.1 if that is off). The first\n" +
			"node of a farm, which has nobody to join, needs the address written out, or `join` with its own. An address that other\n" +
			"machines can reach is refused without `peer_secret_file`, unless `insecure` is set; certificates do not protect gossip.\n" +
			"`peer_allow` says who may send any.",
		Off: true,
		value: text("HOST:PORT, such as 127.0.0.1:42426, [::1]:42426 or :42426, or auto, or off",
			parseGossip, formatListenOrOff, func(c *Config) *string { return &c.GossipListen }),
	},
	{
		Name: "gossip_advertise", Group: groupFarm, Meta: "HOST:PORT", Default: "",
		Help: "Address under which other nodes reach the gossip port of this one; empty derives it",
		Detail: "Empty means the address that listens, or, if that is every address of this machine, the one on the way to the first node of\n" +
			"`join`. A host name is looked up once, at the start.",
		value: text(peerForm+", or nothing", parseAdvertise, identity, func(c *Config) *string { return &c.GossipAdvertise }),
	},
	{
		Name: "peer_advertise", Group: groupFarm, Meta: "HOST:PORT", Default: "",
		Help: "Address under which other nodes reach the peer port of this one; empty derives it",
		Detail: "Empty means the port that listens, on the address that this machine has on the way to the node that asks. To be set where\n" +
			"that address cannot be reached, as behind network address translation or with published container ports.",
		value: text(peerForm+", or nothing", parseAdvertise, identity, func(c *Config) *string { return &c.PeerAdvertise }),
	},
	{
		Name: "peer_allow", Group: groupFarm, Meta: "NET", Default: "",
		Help:   "Network or address that may connect to the peer port, besides this machine over its loopback addresses; may be repeated",
		Detail: "Empty means the networks of `allow`. A connection from elsewhere is closed at once, and counted.",
		value:  networks{func(c *Config) *[]netip.Prefix { return &c.PeerAllow }},
	},
	{
		Name: "peer_secret_file", Group: groupFarm, Meta: "FILE", Default: "",
		Help: "File with the secret that all nodes of the farm share; links are then authenticated and encrypted",
		Detail: "The secret is what the file holds without the white space at its ends: at least 16 bytes, at most 4 KiB.\n" +
			"`openssl rand -base64 32` writes a good one. A file that every account of the machine can read gets a warning. A name that\n" +
			"does not begin with a slash or a drive is looked up in the folder that farmstate was started in; that holds for all files\n" +
			"of this group. Not together with `peer_cert`, unless there is gossip: then links are protected by the certificates and gossip\n" +
			"by the secret.",
		value: fileName(func(c *Config) *string { return &c.PeerSecretFile }),
	},
	{
		Name: "peer_cert", Group: groupFarm, Meta: "FILE", Default: "",
		Help:   "File with the certificate that this node shows to others (PEM)",
		Detail: "The other way to protect links, in place of `peer_secret_file`. It needs `peer_key` and `peer_ca` as well.",
		value:  fileName(func(c *Config) *string { return &c.PeerCert }),
	},
	{
		Name: "peer_key", Group: groupFarm, Meta: "FILE", Default: "",
		Help:  "File with the private key of peer_cert (PEM)",
		value: fileName(func(c *Config) *string { return &c.PeerKey }),
	},
	{
		Name: "peer_ca", Group: groupFarm, Meta: "FILE", Default: "",
		Help:  "File with the certificates of whoever signs the certificates of nodes (PEM)",
		value: fileName(func(c *Config) *string { return &c.PeerCA }),
	},
	{
		Name: "insecure", Group: groupFarm, Default: "false",
		Help: "Allow plain links and plain gossip between nodes on different machines",
		Detail: "Whoever reaches the peer port, or the wire between two nodes, can then read and change every session. Links within one\n" +
			"machine may be plain without it.",
		value: boolean(func(c *Config) *bool { return &c.Insecure }),
	},
	{
		Name: "max_peers", Group: groupFarm, Unit: "links", Meta: "N", Default: "256",
		Help:  "Links to other nodes at one time; one more is closed at once, and counted",
		value: integer(1, 1<<16, func(c *Config) *int64 { return &c.MaxPeers }),
	},
	{
		Name: "max_forwards", Group: groupFarm, Unit: "hops", Meta: "N", Default: "5",
		Help: "How often a question for a session is passed on from node to node",
		Detail: "To reach the whole farm it has to be the number of nodes that lie between the two that are farthest apart, or more. 0 asks\n" +
			"the neighbours only.",
		value: integer(0, 255, func(c *Config) *int64 { return &c.MaxForwards }),
	},
	{
		Name: "query_timeout", Group: groupFarm, Unit: "duration", Meta: "DURATION", Default: "2.5s",
		Help: "Longest search for a session in the farm",
		Detail: "A search ends as soon as every node has answered; the timeout is for nodes that do not answer, and for originals, which do\n" +
			"not say that they lack a session. Keep it under a third of the `stateNetworkTimeout` of the web servers (10 s by default).",
		value: duration(10*time.Millisecond, time.Minute, "2.5s", func(c *Config) *time.Duration { return &c.QueryTimeout }),
	},
	{
		Name: "transfer_queue", Group: groupFarm, Unit: "requests", Meta: "N", Default: "20",
		Help:  "Requests that may wait for one session that is on its way between nodes, longer than a moment; one more is refused",
		value: integer(1, 1<<20, func(c *Config) *int64 { return &c.TransferQueue }),
	},
	{
		Name: "copies", Group: groupCopies, Unit: "nodes", Meta: "N", Default: "0",
		Help: "Nodes that have each session, the one that serves it included; 0 chooses, 1 makes no copies",
		Detail: "0 means 2 where the node finds others by membership (`join` or `gossip_listen`), and 1 otherwise. With 2 the death of any one node\n" +
			"loses nothing, with 3 that of any two at the same time. What is missing after a death is made again in the background. A node\n" +
			"that can reach nobody serves alone.",
		value: integer(0, 5, func(c *Config) *int64 { return &c.Copies }),
	},
	{
		Name: "ack", Group: groupCopies, Meta: "WHEN", Default: "all",
		Help: "When a change is answered: when all its mirrors have it, when one has, or none at once",
		Detail: "A change is a new session, a save, a removal, and a lock that is granted or given back. With `all` and `one` nothing that has been\n" +
			"answered is lost with a node; they differ from 3 copies on. With `none` the last moments before a death may be lost, and a\n" +
			"lock may be given out twice.",
		value: enum(acks, func(c *Config) *string { return &c.Ack }),
	},
	{
		Name: "copy_backlog", Group: groupCopies, Unit: "bytes", Meta: "SIZE", Default: "64MiB",
		Help: "Updates that may wait for one mirror before those for which no request waits are left out",
		Detail: "With `ack` at `all` or `one` requests wait for their mirrors, so their number bounds what waits. With `none` a mirror that does not\n" +
			"keep up gets the sessions whose updates were left out as a whole when it does again. Removals are never left out. Copies that\n" +
			"repair makes do not come to this: they wait until less than 256 KiB do.",
		value: size(1<<20, 1<<40, func(c *Config) *int64 { return &c.CopyBacklog }),
	},
	{
		Name: "touch_period", Group: groupCopies, Unit: "duration", Meta: "DURATION", Default: "10s",
		Help:   "How often mirrors are told which sessions have been read, so that they know how long each lives",
		Detail: "Saves tell it in passing. It also bounds how long a copy whose owner has ended is kept beyond the life of its session.",
		value:  duration(time.Second, 5*time.Minute, "10s", func(c *Config) *time.Duration { return &c.TouchPeriod }),
	},
	{
		Name: "repair_rate", Group: groupCopies, Unit: "bytes per second", Meta: "SIZE", Default: "64MiB",
		Help:   "Bytes a second that a node sends to make missing copies; 0 sets no bound",
		Detail: "Requests go first in any case: while there are any, repair works a small part of the time only, and waits while updates for which requests wait fill a link.",
		value:  size(0, 1<<40, func(c *Config) *int64 { return &c.RepairRate }),
	},
	{
		Name: "quarantine_size", Group: groupCopies, Unit: "bytes", Meta: "SIZE", Default: "16MiB",
		Help:   "Memory for the states of sessions that gave way to newer ones, when two parts of the farm had served them without each other",
		Detail: "They can be listed and exported, so that nothing that a user has saved goes unseen. When it is full the oldest go.",
		value:  size(0, 1<<40, func(c *Config) *int64 { return &c.QuarantineSize }),
	},
	{
		Name: "transport", Group: groupLimits, Meta: "NAME", Default: "auto",
		Help: "Network library under the state port",
		Detail: "`gnet` runs event loops, `std` goroutines for each connection. `auto` is `gnet` where it is fit for production and `std` elsewhere\n" +
			"(Windows). Clients cannot tell them apart.",
		value: enum(transports, func(c *Config) *string { return &c.Transport }),
	},
	{
		Name: "event_loops", Group: groupLimits, Unit: "loops", Meta: "N", Default: "0",
		Help:  "Event loops of the gnet transport; 0 means half as many as there are processors, at least one",
		value: integerOrZero(255, func(c *Config) *int64 { return &c.EventLoops }, "chooses by the number of processors"),
	},
	{
		Name: "max_header", Group: groupLimits, Unit: "bytes", Meta: "SIZE", Default: "16KiB",
		Help:  "Largest header block of a request",
		value: size(256, 1<<16, func(c *Config) *int64 { return &c.MaxHeader }),
	},
	{
		Name: "max_body", Group: groupLimits, Unit: "bytes", Meta: "SIZE", Default: "64MiB",
		Help:  "Largest session that can be saved",
		value: size(1, 1<<30, func(c *Config) *int64 { return &c.MaxBody }),
	},
	{
		Name: "max_connections", Group: groupLimits, Unit: "connections", Meta: "N", Default: "16384",
		Help: "Connections to the state port at one time; one more is closed at once, and counted",
		Detail: "It is lowered when the limit on open files of the process leaves room for fewer; the log says so. A web server holds one\n" +
			"connection for each request that is talking to the state server at that moment, and keeps an idle one for 5 to 10 seconds.",
		value: integer(1, 1<<20, func(c *Config) *int64 { return &c.MaxConnections }),
	},
	{
		Name: "max_output", Group: groupLimits, Unit: "bytes", Meta: "SIZE", Default: "4MiB",
		Help: "Answers that may wait for a client that does not read them",
		Detail: "While more is waiting, no further request of that connection is served, and when the client then takes nothing at all its\n" +
			"connection is closed. A single answer may be larger.",
		value: size(1<<10, 1<<30, func(c *Config) *int64 { return &c.MaxOutput }),
	},
	{
		Name: "max_output_total", Group: groupLimits, Unit: "bytes", Meta: "SIZE", Default: "1GiB",
		Help:  "Answers that may wait for all clients together; the client that has most of them is cut off",
		value: size(1<<20, 1<<40, func(c *Config) *int64 { return &c.MaxOutputTotal }),
	},
	{
		Name: "idle_timeout", Group: groupLimits, Unit: "duration", Meta: "DURATION", Default: "30s",
		Help:  "Silence after which a connection is closed",
		value: duration(time.Second, 24*time.Hour, "30s", func(c *Config) *time.Duration { return &c.IdleTimeout }),
	},
	{
		Name: "max_memory", Group: groupSessions, Unit: "bytes", Meta: "SIZE", Default: "auto",
		Help: "Memory that sessions may take; at the cap new sessions are refused, and none is thrown away",
		Detail: "`auto` is 75 % of the machine's memory, or of the limit of the control group (container) if that is lower. The rest is for\n" +
			"the network, for garbage that is not collected yet, and for the system. A save that does not fit is answered 400, which the\n" +
			"user of the page sees as an error; sessions that are stored stay.",
		value: sizeOrAuto(1<<20, func(c *Config) *int64 { return &c.MaxMemory }),
	},
	{
		Name: "lock_wait", Group: groupSessions, Unit: "duration", Meta: "DURATION", Default: "700ms",
		Help: "How long a page that needs a locked session is held before it is told to come again; 0 answers at once",
		Detail: "ASP.NET asks again for a locked session every half second. A page that waits here instead goes on the moment the lock is\n" +
			"free. A little more than the half second meets every one of these rounds.",
		value: duration(0, 30*time.Second, "700ms", func(c *Config) *time.Duration { return &c.LockWait }),
	},
	{
		Name: "lock_queue", Group: groupSessions, Unit: "requests", Meta: "N", Default: "64",
		Help:  "Requests that may wait for the lock of one session; one more is told to come again at once",
		value: integer(1, 1<<20, func(c *Config) *int64 { return &c.LockQueue }),
	},
	{
		Name: "session_queue", Group: groupSessions, Unit: "requests", Meta: "N", Default: "50",
		Help:  "Requests that may be queued for one session while others are served; one more is refused",
		value: integer(1, 1<<20, func(c *Config) *int64 { return &c.SessionQueue }),
	},
	{
		Name: "stale_lock", Group: groupSessions, Unit: "duration", Meta: "DURATION", Default: "2m",
		Help: "Age from which a lock counts as left behind by its page; 0 switches the search off",
		Detail: "Such locks are logged, counted, and listed under `/api/v1/locks`. Nothing is unlocked: ASP.NET itself breaks a lock that is\n" +
			"older than its `executionTimeout` (110 s by default).",
		value: duration(0, 24*time.Hour, "2m", func(c *Config) *time.Duration { return &c.StaleLock }),
	},
	{
		Name: "fold_application_case", Group: groupSessions, Default: "false",
		Help: "Treat application ids that differ only in letter case as one application",
		Detail: "For farms where the web servers disagree about the spelling of a site or folder (`ROOT` and `Root`), which otherwise loses\n" +
			"sessions. For ids that differ in more than case, see `[[alias]]`.",
		value: boolean(func(c *Config) *bool { return &c.FoldApplicationCase }),
	},
	{
		Name: "http_status_line", Group: groupClients, Default: "false",
		Help:   "Begin answers with HTTP/1.1, so that curl and load balancers can read them",
		Detail: "Microsoft's service answers without it, and that form is certain to work with every ASP.NET.",
		value:  boolean(func(c *Config) *bool { return &c.HTTPStatusLine }),
	},
	{
		Name: "aspnet_version", Group: groupClients, Meta: "VERSION", Default: "4.0.30319",
		Help:   "Value of the X-AspNet-Version header of every answer",
		Detail: "ASP.NET 2.0 and later refuses a state server whose version begins with a number below 2.",
		value: text("numbers with dots between them, the first at least 2, such as 4.0.30319",
			parseASPNetVersion, identity, func(c *Config) *string { return &c.ASPNetVersion }),
	},
	{
		Name: "shutdown_timeout", Group: groupOperation, Unit: "duration", Meta: "DURATION", Default: "1m",
		Help:  "How long a stop may take for handing the sessions over and for requests that have begun",
		value: duration(0, 10*time.Minute, "1m", func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
	},
	{
		Name: "data", Group: groupOperation, Meta: "DIR", Default: "",
		Help: "Directory in which the sessions are kept while the node does not run; empty keeps none",
		Detail: "A node that is stopped writes the sessions there that no other node has taken, and reads them when it starts; see\n" +
			"[snapshots](snapshots.md). The directory is made if it is missing. No other process may use it, and no other account may\n" +
			"write into it.",
		value: text("the name of a directory, or nothing", parseFileName, identity, func(c *Config) *string { return &c.Data }),
	},
	{
		Name: "snapshot_interval", Group: groupOperation, Unit: "duration", Meta: "DURATION", Default: "0",
		Help: "How often the sessions are written to data while the node runs; 0 writes them at a stop only",
		Detail: "What is written last is there after a crash: sessions are then as old as that. It takes a seventh of a processor while it is\n" +
			"written, at 64 MiB a second.",
		value: durationOrZero(10*time.Second, 24*time.Hour, "5m", func(c *Config) *time.Duration { return &c.SnapshotInterval }),
	},
	{
		Name: "snapshot_key_file", Group: groupOperation, Meta: "FILE", Default: "",
		Help: "File with the secret that encrypts what is written to data; empty writes it as it is",
		Detail: "The secret is what the file holds without the white space at its ends: at least 16 bytes, at most 4 KiB.\n" +
			"`openssl rand -base64 32` writes a good one. Keep it away from where the snapshots are backed up, and keep it: without it\n" +
			"nobody can read them.",
		value: fileName(func(c *Config) *string { return &c.SnapshotKeyFile }),
	},
	{
		Name: "log_level", Group: groupOperation, Meta: "LEVEL", Default: "info",
		Help:  "Least important messages that are logged",
		value: level(func(c *Config) *slog.Level { return &c.LogLevel }),
	},
	{
		Name: "log_format", Group: groupOperation, Meta: "FORMAT", Default: "text",
		Help:  "Form of the log, which goes to standard error",
		value: enum(logFormats, func(c *Config) *string { return &c.LogFormat }),
	},
}

func identity(s string) string { return s }
