package libvirtlab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestImages builds both guests, so that a set-up step can have them in the cache before the tests.
func TestImages(t *testing.T) {
	for _, path := range []string{TinyImage(t), FullImage(t)} {
		out, err := run(t.Context(), nil, "qemu-img", "info", path)
		if err != nil || !strings.Contains(out, "file format: qcow2") {
			t.Errorf("%s is not a qcow2 image: %v\n%s", path, err, out)
		}
	}
}

// boot starts a guest from a copy of an image, with an optional seed for the tiny guest.
func boot(t *testing.T, l *Lab, name, image, seed string) {
	t.Helper()
	disk := filepath.Join(l.Dir, "pool", name+".qcow2")
	if _, err := run(t.Context(), nil, "cp", image, disk); err != nil {
		t.Fatal(err)
	}
	seedDisk := ""
	if seed != "" {
		seedDisk = fmt.Sprintf(`<controller type='scsi' model='virtio-scsi'/><disk type='file' device='disk'><source file='%s'/><target dev='sda' bus='scsi'/></disk>`, seed)
	}
	l.Define(t, "", fmt.Sprintf(`<domain type='qemu'><name>%s</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><cpu mode='maximum'/>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>%s
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/></interface>
<interface type='network'><mac address='52:54:00:00:00:02'/><source network='static'/><model type='virtio'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:03'/><source bridge='br-lab'/><model type='virtio'/></interface>
<interface type='direct'><mac address='52:54:00:00:00:04'/><source dev='lab0' mode='bridge'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<serial type='file'><source path='/var/log/libvirt/%s.log'/></serial>
</devices></domain>`, name, disk, seedDisk, name))
	l.Virsh(t, "start", name)
	t.Cleanup(func() {
		if t.Failed() {
			console, _ := os.ReadFile(filepath.Join(l.Dir, "log", name+".log"))
			t.Logf("console of %s:\n%s", name, console)
		}
	})
}

func waitForAgent(t *testing.T, l *Lab, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for {
		_, err := l.TryVirsh(ctx, "qemu-agent-command", name, `{"execute":"guest-ping"}`)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the agent of %s does not answer: %v", name, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

const networkConfig = `version: 2
ethernets:
  lan:
    match:
      macaddress: "52:54:00:00:00:02"
    addresses:
      - 10.150.0.7/24
      - "fd00:150::7/64"
    nameservers:
      addresses: [10.150.0.1]
    routes:
      - to: 0.0.0.0/0
        via: 10.150.0.1
  wan:
    match: {macaddress: "52:54:00:00:00:01"}
    dhcp4: true
`

func TestTinyGuestTakesNameAndAddressesAndSurvivesARestart(t *testing.T) {
	l := Start(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"meta-data": "instance-id: i-1\nlocal-hostname: web-01\n", "user-data": "#cloud-config\n", "network-config": networkConfig,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A FAT file system labelled cidata is as good a seed as an ISO and needs no more tools.
	seed := filepath.Join(l.Dir, "pool", "seed.img")
	for _, args := range [][]string{
		{"truncate", "-s", "1M", seed},
		{"mkfs.vfat", "-n", "CIDATA", seed},
		{"mcopy", "-i", seed, filepath.Join(dir, "meta-data"), filepath.Join(dir, "user-data"), filepath.Join(dir, "network-config"), "::"},
	} {
		if _, err := run(t.Context(), nil, args[0], args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	boot(t, l, "web", TinyImage(t), seed)
	waitForAgent(t, l, "web")

	if out := l.Virsh(t, "guestinfo", "web", "--hostname"); !strings.Contains(out, "web-01") {
		t.Errorf("host name is %q, want web-01", out)
	}
	addresses := l.Virsh(t, "domifaddr", "web", "--source", "agent")
	for _, want := range []string{"10.150.0.7/24", "fd00:150::7/64"} {
		if !strings.Contains(addresses, want) {
			t.Errorf("address %s is missing from\n%s", want, addresses)
		}
	}
	lease := func() bool {
		return strings.Contains(l.Virsh(t, "domifaddr", "web", "--source", "lease"), "192.168.150.")
	}
	for deadline := time.Now().Add(time.Minute); !lease(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no DHCP lease")
		}
	}
	if out, err := l.Exec(t.Context(), "busybox", "ping", "-c", "1", "-W", "5", "10.150.0.7"); err != nil {
		t.Errorf("the guest does not answer a ping: %v\n%s", err, out)
	}

	l.Restart(t)
	if state := l.Virsh(t, "domstate", "web"); state != "running" {
		t.Errorf("after a restart of libvirtd the guest is %q", state)
	}
	waitForAgent(t, l, "web")

	l.Virsh(t, "shutdown", "web", "--mode", "acpi")
	for deadline := time.Now().Add(time.Minute); l.Virsh(t, "domstate", "web") != "shut off"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the guest ignores the power button")
		}
	}
}

func TestFullGuestBootsWithSecureBootAndTPM(t *testing.T) {
	l := Start(t)
	disk := filepath.Join(l.Dir, "pool", "full.qcow2")
	if _, err := run(t.Context(), nil, "cp", FullImage(t), disk); err != nil {
		t.Fatal(err)
	}
	l.Define(t, "", fmt.Sprintf(`<domain type='qemu'><name>full</name><memory unit='MiB'>1024</memory><vcpu>2</vcpu>
<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type><loader secure='yes'/>
<firmware><feature enabled='yes' name='secure-boot'/><feature enabled='yes' name='enrolled-keys'/></firmware></os>
<features><acpi/><smm state='on'/></features><cpu mode='maximum'/>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>
<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<serial type='file'><source path='/var/log/libvirt/full.log'/></serial>
</devices></domain>`, disk))
	l.Virsh(t, "start", "full")
	waitForAgent(t, l, "full")
	if len(l.NVRAM()) != 1 || len(l.TPMState()) != 1 {
		t.Errorf("NVRAM files %q and TPM states %q, want one each", l.NVRAM(), l.TPMState())
	}
	l.Virsh(t, "destroy", "full")
	l.Virsh(t, "undefine", "full", "--nvram")
	if err := os.Remove(disk); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestTransports(t *testing.T) {
	l := Shared(t)
	ask := func(uri string) (string, error) {
		return run(t.Context(), nil, "virsh", "-q", "-c", uri, "pool-list", "--name")
	}
	for name, uri := range map[string]string{"unix": l.URI(), "tcp": l.TCPURI(), "tls": l.TLSURI()} {
		out, err := ask(uri)
		if err != nil || !slices.Contains(strings.Fields(out), Pool) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}

	strange := t.TempDir()
	for from, to := range map[string]string{l.PKI().StrangerCert: "clientcert.pem", l.PKI().StrangerKey: "clientkey.pem", l.PKI().CACert: "cacert.pem"} {
		if _, err := run(t.Context(), nil, "cp", from, filepath.Join(strange, to)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := ask("qemu+tls://" + l.TLSAddr() + "/system?pkipath=" + strange); err == nil {
		t.Errorf("a certificate of another authority is let in: %q", out)
	}
}

// needs skips a test that a program is missing for; in CI it has to be there.
func needs(t *testing.T, program string) {
	t.Helper()
	_, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v (scripts/setup installs it on Debian)", err)
	default:
		t.Skip("left out: ", err)
	}
}

func TestSSHWithOpenSSHClient(t *testing.T) {
	needs(t, "ssh")
	l := Shared(t)
	s := l.SSHServer(t)
	ask := func(knownHosts string) (string, error) {
		client := filepath.Join(t.TempDir(), "ssh")
		script := fmt.Sprintf("#!/bin/sh\nexec ssh -F none -o UserKnownHostsFile=%s -o StrictHostKeyChecking=yes -o BatchMode=yes \"$@\"\n", knownHosts)
		if err := os.WriteFile(client, []byte(script), 0o700); err != nil { //nolint:gosec // a script to run
			t.Fatal(err)
		}
		return run(t.Context(), nil, "virsh", "-q", "-c", s.URI()+"&command="+client, "pool-list", "--name")
	}
	out, err := ask(s.KnownHostsFile)
	if err != nil || !slices.Contains(strings.Fields(out), Pool) {
		t.Errorf("by SSH: %q, %v; asked for %q", out, err, s.Forwards())
	}
	if out, err := ask(s.WrongKnownHostsFile); err == nil {
		t.Errorf("a wrong host key is accepted: %q", out)
	}
}

func TestSSHForwardingThroughAJumpHost(t *testing.T) {
	l := Shared(t)
	jump, host := l.SSHServer(t), l.SSHServer(t)
	dial := func(s *SSHServer, dialer func(network, addr string) (net.Conn, error)) *ssh.Client {
		key, err := os.ReadFile(s.ClientKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.ParsePrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		verify, err := knownhosts.New(s.KnownHostsFile)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dialer("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		c, channels, requests, err := ssh.NewClientConn(conn, s.Addr, &ssh.ClientConfig{
			User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: verify,
		})
		if err != nil {
			t.Fatal(err)
		}
		client := ssh.NewClient(c, channels, requests)
		t.Cleanup(func() { client.Close() })
		return client
	}
	first := dial(jump, net.Dial)
	second := dial(host, first.Dial)
	conn, err := second.Dial("unix", "/var/run/libvirt/libvirt-sock")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := jump.Forwards(); !slices.Equal(got, []string{host.Addr}) {
		t.Errorf("the jump host was asked for %q, want %q", got, host.Addr)
	}
}

func TestAssertEmptyNamesWhatIsLeft(t *testing.T) {
	l := Start(t)
	dir := l.DirPool(t, "extra")
	l.AssertEmpty(t)
	l.Define(t, "", `<domain type='qemu'><name>left</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`)
	l.Virsh(t, "vol-create-as", "extra", "orphan.qcow2", "1M", "--format", "qcow2")
	if _, err := os.Stat(filepath.Join(dir, "orphan.qcow2")); err != nil {
		t.Error(err)
	}
	probe := &recorder{TB: t}
	l.AssertEmpty(probe)
	want := []string{`domain "left" is left behind`, `volume of pool extra "orphan.qcow2" is left behind`}
	if !slices.Equal(probe.errors, want) {
		t.Errorf("reported %q, want %q", probe.errors, want)
	}
}

// recorder keeps what would fail a test.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestDaemonCanBeAwayAndConnectionsCut(t *testing.T) {
	l := Start(t)
	conn, err := net.Dial("tcp", l.TCPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// The connection is known to the forwarder once the daemon has answered through it.
	if _, err := run(t.Context(), nil, "virsh", "-c", l.TCPURI(), "uri"); err != nil {
		t.Fatal(err)
	}
	l.CutConnections()
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection was not cut: %v", err)
	}
	l.StopDaemon(t)
	if out, err := l.TryVirsh(t.Context(), "uri"); err == nil {
		t.Errorf("a stopped daemon answers %q", out)
	}
	l.StartDaemon(t)
	l.Virsh(t, "uri")
}

func TestOpenVSwitchNetwork(t *testing.T) {
	needs(t, "ovs-vswitchd")
	l := Start(t)
	l.UseOVS(t)
	if out := l.Virsh(t, "net-list", "--name"); !slices.Contains(strings.Fields(out), "ovs") {
		t.Errorf("networks are %q", out)
	}
}

func TestTwoLabsShareNothing(t *testing.T) {
	a, b := Start(t), Start(t)
	a.Define(t, "", `<domain type='qemu'><name>same</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`)
	b.Define(t, "", `<domain type='qemu'><name>same</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`)
	a.Virsh(t, "start", "same")
	b.Virsh(t, "start", "same")
	a.Virsh(t, "schedinfo", "same", "--live", "cpu_shares=512")
	if out := b.Virsh(t, "schedinfo", "same"); strings.Contains(out, ": 512") {
		t.Errorf("CPU shares set in one lab show in the other:\n%s", out)
	}
	dir := b.Dir
	b.Close()
	if left, _ := filepath.Glob(dir + "*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(dir)); len(groups) > 0 {
		t.Errorf("left behind: %q", groups)
	}
	if state := a.Virsh(t, "domstate", "same"); state != "running" {
		t.Errorf("the other lab's guest is %q", state)
	}
}
