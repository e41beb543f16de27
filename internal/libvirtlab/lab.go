// Package libvirtlab gives tests a real libvirtd with real QEMU guests.
//
// A [Lab] is one private libvirtd in namespaces of its own: it shares no file, bridge, firewall rule,
// port or control group with the host or with another lab, so that several test processes run side
// by side. It lives as long as the test process: however that ends, the kernel ends the
// daemon and its guests with it.
//
// A lab needs Linux, root, and the Debian packages that scripts/setup installs. [Require] skips a test
// where it cannot be had and fails it where CI=true.
package libvirtlab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a new lab has.
const (
	Pool          = "default" // directory pool, started
	Network       = "default" // NAT network 192.168.150.0/24 with DHCP from .10 to .200
	StaticNetwork = "static"  // isolated network 10.150.0.0/24 without DHCP
	Bridge        = "br-lab"  // Linux bridge, not a libvirt network; the host is 10.150.1.1 on it
	Link          = "lab0"    // network interface that macvtap devices can sit on
)

// startupLimit bounds the wait for the daemon. Its first start probes QEMU, which takes
// seconds on a busy machine.
const startupLimit = 60 * time.Second

// Lab is one private libvirtd. Its methods may be called from several goroutines, except those that
// stop or start the daemon.
type Lab struct {
	// Dir holds everything that belongs to the lab. Volumes of the pool named Pool are in Dir/pool.
	Dir string

	ctx      context.Context // ends with the lab
	cancel   context.CancelFunc
	cmd      *exec.Cmd
	commands io.WriteCloser
	mu       sync.Mutex // one command at a time
	answers  *bufio.Scanner
	lock     *os.File // held while the lab lives, so that others do not sweep Dir
	pid      int      // the first process in the namespaces
	tcp, tls *forwarder
	pki      PKI
}

// Start gives the test a lab of its own, which ends with the test.
func Start(t testing.TB) *Lab {
	t.Helper()
	Require(t)
	l, err := start()
	if err != nil {
		t.Fatalf("start the libvirt lab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last lines of libvirtd:\n%s", l.LogTail(40))
		}
		l.Close()
	})
	return l
}

var shared struct {
	mu  sync.Mutex
	lab *Lab
	err error
}

// Shared gives the lab that all tests of the process use together. It is started by the first
// test that asks, and ends with [Main].
func Shared(t testing.TB) *Lab {
	t.Helper()
	Require(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.lab == nil && shared.err == nil {
		shared.lab, shared.err = start()
	}
	if shared.err != nil {
		t.Fatalf("start the shared libvirt lab: %v", shared.err)
	}
	return shared.lab
}

// Main runs the tests and then ends the shared lab, if any was started:
//
//	func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.lab != nil {
		shared.lab.Close()
	}
	return code
}

func start() (_ *Lab, err error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	l := &Lab{}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, l.LogTail(20))
			l.Close()
		}
	}()
	if err := l.makeDir(); err != nil {
		return nil, err
	}
	if l.pki, err = newPKI(filepath.Join(l.Dir, "pki")); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	if err := l.writeConfig(); err != nil {
		return nil, err
	}
	if err := l.launch(); err != nil {
		return nil, err
	}
	if err := l.startDaemon(); err != nil {
		return nil, err
	}
	if err := l.defineDefaults(); err != nil {
		return nil, err
	}
	if l.tcp, err = l.forward("127.0.0.1:16509"); err != nil {
		return nil, err
	}
	if l.tls, err = l.forward("127.0.0.1:16514"); err != nil {
		return nil, err
	}
	return l, nil
}

// launch starts the process that owns the namespaces.
func (l *Lab) launch() error {
	script := filepath.Join(l.Dir, "namespace.sh")
	if err := os.WriteFile(script, namespaceScript, 0o600); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(l.Dir, "log", "namespace.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	// Not bound to a context: the process ends when its standard input closes.
	cmd := exec.Command("bash", script, l.Dir) //nolint:noctx // see above
	cmd.Env = append(os.Environ(), "LAB_EXEC="+daemonPrefix())
	cmd.Stderr = out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l.cmd, l.commands, l.answers = cmd, stdin, bufio.NewScanner(stdout)
	if !l.answers.Scan() {
		return errors.New("the lab's namespaces could not be made")
	}
	_, err = fmt.Sscanf(l.answers.Text(), "pid %d", &l.pid)
	return err
}

var errDaemonDead = errors.New("libvirtd has ended")

// tell sends one command to the namespace's first process and waits until it is carried out.
func (l *Lab) tell(command string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := fmt.Fprintln(l.commands, command); err != nil {
		return fmt.Errorf("lab is gone: %w", err)
	}
	var failure error
	for l.answers.Scan() {
		switch l.answers.Text() {
		case "done " + command:
			return failure
		case "dead":
			failure = errDaemonDead
		}
	}
	return fmt.Errorf("lab ended during %q", command)
}

func (l *Lab) startDaemon() error {
	if err := l.tell("start"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, startupLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", l.Socket()); err == nil {
			conn.Close()
			if _, err = l.virsh(ctx, "uri"); err == nil {
				return nil
			}
		}
		if err := l.tell("alive"); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("libvirtd did not answer in time")
		}
	}
}

// StopDaemon ends libvirtd the orderly way. Guests keep running.
func (l *Lab) StopDaemon(t testing.TB) {
	t.Helper()
	if err := l.tell("stop"); err != nil {
		t.Fatalf("stop libvirtd: %v", err)
	}
}

// StartDaemon starts libvirtd after [Lab.StopDaemon] and waits until it answers.
func (l *Lab) StartDaemon(t testing.TB) {
	t.Helper()
	if err := l.startDaemon(); err != nil {
		t.Fatalf("start libvirtd: %v\n%s", err, l.LogTail(20))
	}
}

// Restart kills libvirtd the hard way and starts it again. Guests keep running; every
// connection breaks.
func (l *Lab) Restart(t testing.TB) {
	t.Helper()
	if err := l.tell("kill"); err != nil {
		t.Fatalf("kill libvirtd: %v", err)
	}
	l.StartDaemon(t)
}

// Close ends the daemon, all guests and networks, and removes the lab's files.
func (l *Lab) Close() {
	l.cancel()
	for _, f := range []*forwarder{l.tcp, l.tls} {
		if f != nil {
			f.close()
		}
	}
	if l.cmd != nil {
		l.commands.Close()
		timer := time.AfterFunc(10*time.Second, func() { _ = l.cmd.Process.Kill() })
		_ = l.cmd.Wait()
		timer.Stop()
	}
	if l.Dir != "" {
		remove(l.Dir)
	}
	if l.lock != nil {
		l.lock.Close()
	}
}

// LogTail is the end of what libvirtd and the namespace script wrote.
func (l *Lab) LogTail(lines int) string {
	var b strings.Builder
	for _, name := range []string{"namespace.log", "ovs.log", "libvirtd.log"} {
		content, err := os.ReadFile(filepath.Join(l.Dir, "log", name))
		if err != nil || len(content) == 0 {
			continue
		}
		// Asking for an agent that is not there yet is what tests do.
		all := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(content)), "\n"), func(line string) bool {
			return strings.Contains(line, "QEMU guest agent is not connected")
		})
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return b.String()
}

// UseOVS starts Open vSwitch inside the lab and defines the network "ovs" on its bridge
// "br-ovs", on which VLAN tags work. It has no DHCP.
func (l *Lab) UseOVS(t testing.TB) {
	t.Helper()
	if err := l.tell("ovs"); err != nil {
		t.Fatalf("start Open vSwitch: %v\n%s", err, l.LogTail(20))
	}
	l.Define(t, "net", `<network><name>ovs</name><forward mode='bridge'/><bridge name='br-ovs'/><virtualport type='openvswitch'/></network>`)
	l.Virsh(t, "net-start", "ovs")
}
