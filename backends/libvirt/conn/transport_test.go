package conn

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// noHome keeps the keys and known hosts of whoever runs the tests out of them.
func noHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	return home
}

func TestTransportsReachLibvirtd(t *testing.T) {
	noHome(t)
	l := libvirtlab.Shared(t)
	s := l.SSHServer(t)
	pki := l.PKI()
	inline := SSH{User: s.User, PrivateKey: read(t, s.ClientKeyFile), KnownHosts: read(t, s.KnownHostsFile)}
	bare := "qemu+ssh://" + s.Addr + "/system?socket=" + l.Socket()
	for name, cfg := range map[string]Config{
		"unix":              {URI: l.URI()},
		"unix, short":       {URI: "qemu+unix://?socket=" + l.Socket()},
		"tcp":               {URI: l.TCPURI()},
		"tls, files":        {URI: l.TLSURI()},
		"tls, no transport": {URI: strings.Replace(l.TLSURI(), "qemu+tls", "qemu", 1)},
		"tls, inline": {
			URI: "qemu+tls://" + l.TLSAddr() + "/system",
			TLS: TLS{CA: read(t, pki.CACert), Cert: read(t, pki.ClientCert), Key: read(t, pki.ClientKey)},
		},
		"tls, unverified": {
			URI: "qemu+tls://" + l.TLSAddr() + "/system?no_verify=1",
			TLS: TLS{Cert: read(t, pki.ClientCert), Key: read(t, pki.ClientKey)},
		},
		"ssh, files":        {URI: s.URI()},
		"ssh, libssh":       {URI: strings.Replace(s.URI(), "qemu+ssh", "qemu+libssh2", 1)},
		"ssh, inline":       {URI: bare, SSH: inline},
		"ssh, usual socket": {URI: "qemu+ssh://" + s.Addr, SSH: inline},
		"ssh, netcat":       {URI: bare + "&proxy=netcat", SSH: inline},
		"ssh, unverified":   {URI: bare + "&no_verify=1", SSH: SSH{User: s.User, PrivateKey: inline.PrivateKey}},
		"ssh, any new host": {URI: bare + "&known_hosts_verify=auto", SSH: SSH{User: s.User, PrivateKey: inline.PrivateKey}},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cfg)
			names, err := pools(t.Context(), c)
			if err != nil || len(names) != 1 || names[0] != libvirtlab.Pool {
				t.Errorf("pools are %q, %v", names, err)
			}
			b, err := c.Bulk(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if !strings.Contains(strings.Join(s.Forwards(), "\n"), "nc -U "+l.Socket()) {
		t.Errorf("netcat was not run; asked for %q", s.Forwards())
	}
}

func TestSSHThroughJumpHost(t *testing.T) {
	noHome(t)
	l := libvirtlab.Shared(t)
	host, jump := l.SSHServer(t), l.SSHServer(t)
	// Both servers know the user virt, but each by a key of its own: an agent holds both.
	t.Setenv("SSH_AUTH_SOCK", agentOf(t, host, jump))
	c := open(t, Config{
		URI: "qemu+ssh://virt@" + host.Addr + "/system?jump=virt@" + jump.Addr,
		SSH: SSH{KnownHosts: read(t, host.KnownHostsFile) + read(t, jump.KnownHostsFile)},
	})
	if names, err := pools(t.Context(), c); err != nil || len(names) != 1 {
		t.Errorf("pools are %q, %v", names, err)
	}
	if got := jump.Forwards(); len(got) != 1 || got[0] != host.Addr {
		t.Errorf("the jump host was asked for %q, want %q", got, host.Addr)
	}
}

func TestSSHKeysFromTheUsualPlaces(t *testing.T) {
	home := noHome(t)
	l := libvirtlab.Shared(t)
	s := l.SSHServer(t)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"id_ed25519": read(t, s.ClientKeyFile),
		// A damaged line elsewhere in the file does no harm.
		"known_hosts": "damaged line\n" + read(t, s.KnownHostsFile),
	} {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, Config{URI: "qemu+ssh://virt@" + s.Addr + "/system"})
	if names, err := pools(t.Context(), c); err != nil || len(names) != 1 {
		t.Errorf("pools are %q, %v", names, err)
	}
}

// wantError opens a connection that must fail, and checks what a user is told.
func wantError(t *testing.T, cfg Config, code backends.Code, said ...string) *backends.Error {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err == nil {
		_ = c.Close()
		t.Fatal("the connection was made")
	}
	var e *backends.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("code is %q, want %q: %v", backends.CodeOf(err), code, err)
	}
	text := e.Error() + "\n" + e.Remedy
	for _, want := range said {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if e.Path != "libvirt.uri" {
		t.Errorf("the attribute blamed is %q", e.Path)
	}
	for _, secret := range []string{cfg.SSH.PrivateKey, cfg.TLS.Key} {
		if secret != "" && strings.Contains(text, secret) {
			t.Error("the error tells a key")
		}
	}
	return e
}

func TestRefusedLogins(t *testing.T) {
	noHome(t)
	l := libvirtlab.Shared(t)
	s, other := l.SSHServer(t), l.SSHServer(t)
	pki := l.PKI()
	key, known := read(t, s.ClientKeyFile), read(t, s.KnownHostsFile)
	bare := "qemu+ssh://virt@" + s.Addr + "/system"

	t.Run("unknown host", func(t *testing.T) {
		e := wantError(t, Config{URI: bare, SSH: SSH{PrivateKey: key}}, backends.Auth, "not a known host", "SHA256:", "add this line")
		_, line, _ := strings.Cut(e.Remedy, "known hosts: ")
		// What the remedy says works.
		open(t, Config{URI: bare, SSH: SSH{PrivateKey: key, KnownHosts: line}})
	})
	t.Run("changed host key", func(t *testing.T) {
		wrong := read(t, s.WrongKnownHostsFile)
		wantError(t, Config{URI: bare, SSH: SSH{PrivateKey: key, KnownHosts: wrong}}, backends.Auth, "another key", "listening in")
		wantError(t, Config{URI: bare + "?known_hosts_verify=auto", SSH: SSH{PrivateKey: key, KnownHosts: wrong}}, backends.Auth, "another key")
	})
	t.Run("wrong key", func(t *testing.T) {
		wantError(t, Config{URI: bare, SSH: SSH{PrivateKey: read(t, other.ClientKeyFile), KnownHosts: known}}, backends.Auth, `does not let "virt" in`, "authorized_keys")
	})
	t.Run("no key", func(t *testing.T) {
		wantError(t, Config{URI: bare, SSH: SSH{KnownHosts: known}}, backends.Auth, "no key")
	})
	t.Run("damaged key", func(t *testing.T) {
		wantError(t, Config{URI: bare, SSH: SSH{PrivateKey: key[:len(key)/2], KnownHosts: known}}, backends.Invalid, "not a private key")
	})
	t.Run("no socket on the SSH host", func(t *testing.T) {
		wantError(t, Config{URI: bare + "?proxy=native&socket=/nowhere/sock", SSH: SSH{PrivateKey: key, KnownHosts: known}}, backends.Transient, "/nowhere/sock", "group libvirt")
	})
	t.Run("certificate of another authority", func(t *testing.T) {
		wantError(t, Config{
			URI: "qemu+tls://" + l.TLSAddr() + "/system",
			TLS: TLS{CA: read(t, pki.CACert), Cert: read(t, pki.StrangerCert), Key: read(t, pki.StrangerKey)},
		}, backends.Auth, "does not accept the client certificate")
	})
	t.Run("server not trusted", func(t *testing.T) {
		wantError(t, Config{
			URI: "qemu+tls://" + l.TLSAddr() + "/system",
			TLS: TLS{CA: read(t, pki.StrangerCACert), Cert: read(t, pki.ClientCert), Key: read(t, pki.ClientKey)},
		}, backends.Auth, "not trusted", "CA certificate")
	})
	t.Run("certificate without key", func(t *testing.T) {
		wantError(t, Config{
			URI: "qemu+tls://" + l.TLSAddr() + "/system", TLS: TLS{CA: read(t, pki.CACert), Cert: read(t, pki.ClientCert)},
		}, backends.Invalid, "belong together")
	})
	t.Run("no certificates", func(t *testing.T) {
		wantError(t, Config{URI: "qemu+tls://" + l.TLSAddr() + "/system?pkipath=" + t.TempDir()}, backends.Invalid, "cacert.pem", "pkipath")
	})
}

func TestUnreachable(t *testing.T) {
	noHome(t)
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	closed, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	closed.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = closed.Close()
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refused.Close()

	wantError(t, Config{URI: "qemu+unix:///system?socket=" + dir + "/none"}, backends.Transient, "no such file", "libvirtd (or virtqemud) runs")
	wantError(t, Config{URI: "qemu+unix:///system?socket=" + stale}, backends.Transient, "connection refused", "libvirtd (or virtqemud) runs")
	wantError(t, Config{URI: "qemu+tcp://" + refused.Addr().String() + "/system"}, backends.Transient, "connection refused", "listens for tcp")
	wantError(t, Config{URI: "qemu+tls://" + refused.Addr().String() + "/system?no_verify=1"}, backends.Invalid, "client certificate")
}

func TestWhatAnswersIsNotLibvirtd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n"))
			defer c.Close()
		}
	}()
	wantError(t, Config{URI: "qemu+tcp://" + listener.Addr().String() + "/system"}, backends.Invalid, "not libvirtd", `"SSH-"`, "port and the transport")
}

func TestUnixSocketWithoutPermission(t *testing.T) {
	e := Classify(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", os.ErrPermission)})
	if e.Code != backends.Auth {
		t.Errorf("code is %q", e.Code)
	}
	if r := dialRemedy(target{transport: overUnix}, e); !strings.Contains(r, "group libvirt") {
		t.Errorf("remedy is %q", r)
	}
}

func TestNetcatCommandSurvivesAnyShell(t *testing.T) {
	d := sshDialer{netcat: "nc", sockets: []string{"/run/a'b/sock"}}
	if got, want := d.netcatCommand(), `sh -c 'exec nc -U '\''/run/a'\''\'\'''\''b/sock'\'''`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	d.sockets = target{path: "/system", transport: overSSH}.sockets()
	if got, want := d.netcatCommand(), "sh -c '[ ! -S /var/run/libvirt/libvirt-sock ] || exec nc -U /var/run/libvirt/libvirt-sock; exec nc -U /var/run/libvirt/virtqemud-sock'"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
