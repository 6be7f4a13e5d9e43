// Package relay stands between web servers and state servers: it passes bytes on, and shows, records and bends what it
// passes. It also plays a recording against a server, and compares the answers.
//
//	client ─▶ requests (a flow) ─▶ upstream ─▶ state server
//	client ◀─ answers  (a flow) ◀─ upstream ◀─ state server
//
// A flow is one direction of a connection: a scanner finds the messages in the bytes, rules may bend them, a stage sends
// them on. Without rules and with one target the bytes are written as they came, in the same pieces; the scanner only
// looks on. What is not the protocol is passed as bytes then.
//
// With several targets each request goes to the one that its session belongs to. Requests of one connection for one
// target follow each other without a pause; before the target changes all answers have to be in. So there is never more
// than one server that owes a client answers, and they leave in the order of the requests.
//
// Events go two ways. The recorder gets all of them, and traffic waits for it when its queue is full, for a recording
// with gaps is worth nothing. The display misses messages when its queue is full, and says how many: a terminal that was
// stopped must not stop a web farm.
package relay
