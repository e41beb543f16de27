package libvirtlab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Socket is the path of libvirtd's read-write socket.
func (l *Lab) Socket() string { return filepath.Join(l.Dir, "run", "libvirt-sock") }

// URI connects through the Unix socket.
func (l *Lab) URI() string { return "qemu+unix:///system?socket=" + l.Socket() }

// TCPURI connects by plain TCP without a login. Connections pass through the test process:
// see [Lab.CutConnections].
func (l *Lab) TCPURI() string { return "qemu+tcp://" + l.TCPAddr() + "/system" }

// TCPAddr is host:port of the plain TCP listener.
func (l *Lab) TCPAddr() string { return l.tcp.addr() }

// TLSURI connects by TLS with the lab's client certificate; see [Lab.PKI] for the files.
func (l *Lab) TLSURI() string {
	return "qemu+tls://" + l.TLSAddr() + "/system?pkipath=" + l.pki.Dir
}

// TLSAddr is host:port of the TLS listener. The certificate is made out to 127.0.0.1 and localhost.
func (l *Lab) TLSAddr() string { return l.tls.addr() }

// PKI is the lab's certificate authority with a server and a client certificate.
func (l *Lab) PKI() PKI { return l.pki }

// Virsh runs one virsh command against the lab and gives its output, trimmed. The test fails if it fails.
func (l *Lab) Virsh(t testing.TB, args ...string) string {
	t.Helper()
	out, err := l.virsh(l.ctx, args...) // not the test's context: this is of use in its Cleanup, too
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TryVirsh is Virsh for commands that may fail.
func (l *Lab) TryVirsh(ctx context.Context, args ...string) (string, error) {
	return l.virsh(ctx, args...)
}

func (l *Lab) virsh(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, "virsh", append([]string{"-q", "-c", l.URI()}, args...)...)
}

// Define defines an object from XML. Kind is what virsh puts before "-define": "net", "pool", or "" for a domain.
func (l *Lab) Define(t testing.TB, kind, xml string) {
	t.Helper()
	if err := l.define(l.ctx, kind, xml); err != nil {
		t.Fatal(err)
	}
}

func (l *Lab) define(ctx context.Context, kind, xml string) error {
	verb := "define"
	if kind != "" {
		verb = kind + "-define"
	}
	_, err := run(ctx, []byte(xml), "virsh", "-q", "-c", l.URI(), verb, "/dev/stdin")
	return err
}

// Dial connects to a TCP address, host:port, as seen inside the lab's network: consoles listen there.
func (l *Lab) Dial(ctx context.Context, address string) (net.Conn, error) {
	return dialInside(ctx, l.pid, address)
}

// Exec runs a command inside the lab's namespaces, for example ip or ping, and gives its output.
func (l *Lab) Exec(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, "nsenter", append([]string{"-t", strconv.Itoa(l.pid), "-m", "-n", "-p", "--"}, args...)...)
}

// Domains lists the names of all domains, running or not.
func (l *Lab) Domains(t testing.TB) []string {
	t.Helper()
	return lines(l.Virsh(t, "list", "--all", "--name"))
}

// Volumes lists the names of all volumes of a pool, as a fresh look at the storage finds them.
func (l *Lab) Volumes(t testing.TB, pool string) []string {
	t.Helper()
	l.refresh(t, pool)
	var names []string
	for _, line := range lines(l.Virsh(t, "vol-list", pool)) {
		if name, _, ok := strings.Cut(line, "   "); ok {
			names = append(names, name)
		}
	}
	return names
}

// refresh makes libvirtd look at a pool's storage, which it refuses while volumes are being made.
func (l *Lab) refresh(t testing.TB, pool string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := l.TryVirsh(ctx, "pool-refresh", pool)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "asynchronous jobs") {
			t.Fatal(err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// Pools lists the names of all pools.
func (l *Lab) Pools(t testing.TB) []string {
	t.Helper()
	return lines(l.Virsh(t, "pool-list", "--all", "--name"))
}

// NVRAM lists the UEFI variable files that exist.
func (l *Lab) NVRAM() []string { return l.files("lib/qemu/nvram/*") }

// TPMState lists the state folders of emulated TPMs that exist.
func (l *Lab) TPMState() []string { return l.files("lib/swtpm/*") }

// SavedStates lists the managed-save files that exist.
func (l *Lab) SavedStates() []string { return l.files("lib/qemu/save/*.save") }

func (l *Lab) files(pattern string) []string {
	names, _ := filepath.Glob(filepath.Join(l.Dir, pattern)) // the pattern is well-formed
	return names
}

// AssertEmpty fails the test for every domain, volume, NVRAM file, TPM state and saved state that is left,
// except volumes whose names are given.
func (l *Lab) AssertEmpty(t testing.TB, except ...string) {
	t.Helper()
	keep := map[string]bool{}
	for _, name := range except {
		keep[name] = true
	}
	report := func(kind string, names []string) {
		for _, name := range names {
			if !keep[name] {
				t.Errorf("%s %q is left behind", kind, name)
			}
		}
	}
	report("domain", l.Domains(t))
	for _, pool := range lines(l.Virsh(t, "pool-list", "--name")) {
		report("volume of pool "+pool, l.Volumes(t, pool))
	}
	report("NVRAM file", l.NVRAM())
	report("TPM state", l.TPMState())
	report("saved state", l.SavedStates())
}

// DirPool defines and starts one more directory pool and gives its folder. It goes with the test.
func (l *Lab) DirPool(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(l.Dir, "pool-"+name)
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // QEMU's user walks here
		t.Fatal(err)
	}
	l.Virsh(t, "pool-define-as", name, "dir", "--target", dir)
	l.Virsh(t, "pool-autostart", name)
	l.Virsh(t, "pool-start", name)
	t.Cleanup(func() {
		// The test may have removed the pool itself, and the lab may be gone: nothing here can fail the test.
		_, _ = l.virsh(l.ctx, "pool-destroy", name)
		_, _ = l.virsh(l.ctx, "pool-undefine", name)
		_ = os.RemoveAll(dir)
	})
	return dir
}

func run(ctx context.Context, stdin []byte, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(diag.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

func lines(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		// virsh pads its columns.
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
