package engine

import "time"

// play carries out a script and checks all invariants after each step. A step is
//
//	a Ticket         a request, with a string behind it: how it stands after Do, see client.String
//	a Duration       so much time passes, unnoticed by the engine
//	a func(*world)   anything else
func (w *world) play(steps ...any) *world {
	w.tb.Helper()
	for _, step := range steps {
		switch step := step.(type) {
		case Ticket:
			w.do(step)
		case string:
			w.last.want(step)
		case time.Duration:
			w.after(step)
		case func(*world):
			step(w)
		default:
			w.tb.Fatalf("%T is no step", step)
		}
		w.check()
	}
	return w
}

// The events of a script.

// run works off the queues.
func run(w *world) { w.run() }

// turn works off the queues for so many turns.
func turn(n int) func(*world) { return func(w *world) { w.turns(n) } }

// ticks lets time pass and tells the engine.
func ticks(d time.Duration) func(*world) { return func(w *world) { w.tick(d) } }

// as gives the latest request a name.
func as(name string) func(*world) { return func(w *world) { w.named[name] = w.last } }

// is checks how a request with a name stands.
func is(name, want string) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if got := w.named[name].String(); got != want {
			w.tb.Errorf("%s stands %q, want %q", name, got, want)
		}
	}
}

// gone lets the client of a named request go away, unnoticed: the answer cannot be delivered.
func gone(name string) func(*world) { return func(w *world) { w.named[name].gone = true } }

// cancels withdraws a named request, which must be possible.
func cancels(name string) func(*world) {
	return func(w *world) {
		w.tb.Helper()
		if !w.named[name].cancel() {
			w.tb.Errorf("%s cannot be cancelled", name)
		}
	}
}

// revoke takes a lock back.
func revoke(key string, cookie uint32) func(*world) {
	return func(w *world) {
		w.keys[key] = true // it may be looked for
		w.e.Revoke(w.now, 0, []byte(key), cookie)
		w.forget()
	}
}

// silent is a Caller that keeps nothing.
type silent struct{ status Status }

func (*silent) Park(*Ticket) {}

func (c *silent) Answer(t *Ticket, _ int) bool {
	c.status = t.Out.Status
	return true
}
