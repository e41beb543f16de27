package tfrun

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Guards against a hang; no test measures them.
const (
	patience  = 2 * time.Minute // for what a command is to come to
	afterStop = time.Minute     // for a command to end after an interrupt
)

// Process is a command that runs while the test does something else: it waits
// for what the command comes to, and then interrupts it or takes its result.
type Process struct {
	t    testing.TB
	what string
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan error
}

// Start starts a command in the workspace. The test must end it with Interrupt or Wait.
func (w *Workspace) Start(args ...string) *Process {
	w.t.Helper()
	p := &Process{t: w.t, what: strings.Join(args, " "), cmd: w.Command(args...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

// Until waits until a condition holds. It fails the test where the command ends
// before, or does not come to it.
func (p *Process) Until(condition string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		select {
		case err := <-p.done:
			p.t.Fatalf("%s ended (%v) before %s:\n%s", p.what, err, condition, p.out.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			p.kill("never came to this: " + condition)
		}
	}
}

// UntilClosed is Until for a channel that something else closes.
func (p *Process) UntilClosed(condition string, c <-chan struct{}) {
	p.t.Helper()
	p.Until(condition, func() bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	})
}

// Interrupt sends Ctrl-C, fails the test unless the command then ends soon and
// with a failure, and returns what it printed.
func (p *Process) Interrupt() string {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err == nil {
			p.t.Errorf("%s succeeded although it was interrupted:\n%s", p.what, p.out.String())
		}
	case <-time.After(afterStop):
		p.kill("did not end after Ctrl-C")
	}
	return p.out.String()
}

// Wait waits for the command to end, and returns what it printed and how it ended.
func (p *Process) Wait() (string, error) {
	err := <-p.done
	return p.out.String(), err
}

func (p *Process) kill(why string) {
	p.t.Helper()
	_ = p.cmd.Process.Kill()
	p.t.Fatalf("%s %s (then: %v):\n%s", p.what, why, <-p.done, p.out.String())
}
