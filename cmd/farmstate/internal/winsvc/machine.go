package winsvc

import "time"

// State is what a service is at. The values are those of Windows.
type State uint32

// The states that a node has.
const (
	Stopped      State = 1
	StartPending State = 2
	StopPending  State = 3
	Running      State = 4
)

// String is the state as the command shows it.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case StartPending:
		return "starting"
	case StopPending:
		return "stopping"
	case Running:
		return "running"
	}
	return "in a state that farmstate does not use"
}

// Control is what the service manager asks for. The values are those of Windows.
type Control uint32

// The controls that a node knows.
const (
	Stop        Control = 1
	Interrogate Control = 4
	PreShutdown Control = 15 // the system shuts down; services that accept it have time before all others
)

// Accepts says which controls are taken, as a sum. The values are those of Windows.
type Accepts uint32

// What can be accepted.
const (
	AcceptStop        Accepts = 0x1
	AcceptPreShutdown Accepts = 0x100
)

// Status is what the service manager is told.
type Status struct {
	State      State
	Accepts    Accepts
	CheckPoint uint32        // grows while a start or a stop goes on
	WaitHint   time.Duration // until the next check point at the latest
}

// Machine is the life of a service. Not safe for concurrent use.
type Machine struct {
	hint   time.Duration
	status Status
	asked  bool // to stop
}

// NewMachine returns the life of a service that starts. hint is how long the
// service manager is to wait for the next report of progress.
func NewMachine(hint time.Duration) *Machine {
	return &Machine{hint: hint, status: Status{State: StartPending, WaitHint: hint}}
}

// Status is what was told last.
func (m *Machine) Status() Status { return m.status }

// Starting is progress of the start.
func (m *Machine) Starting() Status { return m.progress(StartPending) }

// Ready ends the start.
func (m *Machine) Ready() Status {
	if m.status.State == StartPending {
		m.status = Status{State: Running, Accepts: AcceptStop | AcceptPreShutdown}
	}
	return m.status
}

// Stopping is progress of the stop, or its beginning if nobody has asked for it.
func (m *Machine) Stopping() Status {
	m.stop()
	return m.progress(StopPending)
}

func (m *Machine) stop() {
	if m.status.State != StopPending {
		m.status = Status{State: StopPending, WaitHint: m.hint}
	}
}

func (m *Machine) progress(of State) Status {
	if m.status.State == of {
		m.status.CheckPoint++
	}
	return m.status
}

// Control takes a control, and returns what the manager is to be told, and why
// the node has to stop; that is empty if it need not, or knows already.
func (m *Machine) Control(c Control) (s Status, why string) {
	switch c {
	case Stop:
		why = "stop of the service"
	case PreShutdown:
		why = "shutdown of the system"
	}
	if why == "" || m.asked {
		return m.status, ""
	}
	m.asked = true
	m.stop()
	return m.progress(StopPending), why
}

// End says what comes after a node that has ended with an exit status: the code
// to report, or a crash. The service manager starts a service again that has
// crashed, but not one that has reported its end: a node that was told to stop,
// or whose configuration has to be put right first (exit status 2).
func (m *Machine) End(exitStatus int) (code uint32, crash bool) {
	return uint32(exitStatus), exitStatus != 0 && exitStatus != 2 && !m.asked
}
