package libvirt

import (
	"crypto/des" //nolint:gosec // what VNC has
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// logInto shakes hands with a VNC server, with a password where one is given, and returns the
// name of the screen that it shows.
func logInto(conn net.Conn, password string) (screen string, err error) {
	read := func(n int) []byte {
		buf := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(conn, buf)
		}
		return buf
	}
	write := func(b ...byte) {
		if err == nil {
			_, err = conn.Write(b)
		}
	}
	if hello := read(12); err == nil && !strings.HasPrefix(string(hello), "RFB 003.") {
		return "", fmt.Errorf("no VNC server: it says %q", hello)
	}
	write([]byte("RFB 003.008\n")...)
	types := read(int(read(1)[0]))
	const none, vncAuth = 1, 2
	want := byte(none)
	if password != "" {
		want = vncAuth
	}
	if err == nil && !strings.ContainsRune(string(types), rune(want)) {
		return "", fmt.Errorf("the server offers the ways %v to log in, not %d", types, want)
	}
	write(want)
	if want == vncAuth {
		challenge := read(16)
		key := make([]byte, 8)
		copy(key, password)
		for i := range key {
			key[i] = bits.Reverse8(key[i])
		}
		block, desErr := des.NewCipher(key) //nolint:gosec // likewise
		if desErr != nil {
			return "", desErr
		}
		for i := 0; i < 16; i += 8 {
			block.Encrypt(challenge[i:i+8], challenge[i:i+8])
		}
		write(challenge...)
	}
	if result := read(4); err == nil && result[3] != 0 {
		return "", errRefused
	}
	write(1) // others may look, too
	init := read(24)
	name := read(int(init[23]))
	return string(name), err
}

var errRefused = errors.New("the server refuses the password")

// look logs into the console of a VM and returns the name of its screen.
func look(t *testing.T, l *libvirtlab.Lab, c backends.Console, password string) (string, error) {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Dial(t.Context(), u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return logInto(conn, password)
}

// TestConsole opens consoles of every type, with the password that counts.
func TestConsole(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("seen")
	id := create(t, b, spec)
	open := func() backends.Console {
		t.Helper()
		c, err := b.Console(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	_, err := b.Console(t.Context(), id)
	wantCode(t, err, backends.Precondition)

	// As it comes: VNC on the loopback address, without a password.
	power(t, b, id, backends.PowerOn)
	c := open()
	if c.Type != "vnc" || !strings.HasPrefix(c.URL, "vnc://127.0.0.1:59") || c.Password != "" {
		t.Errorf("the console is %+v", c)
	}
	if name, err := look(t, l, c, ""); err != nil || !strings.Contains(name, "seen") {
		t.Errorf("the screen is %q, %v", name, err)
	}
	locked := *spec
	locked.Console = &backends.ConsoleSpec{Password: ptr("first"), PasswordVersion: ptr(int64(1))}
	for _, ch := range backends.Diff(&get(t, b, id).Config, &locked) {
		if im := b.catalogue(t).ImpactOf(&get(t, b, id).Config, &locked, ch); im.Effect != backends.EffectRestart {
			t.Errorf("to %s has the impact %+v, and QEMU cannot", ch, im)
		}
	}
	power(t, b, id, backends.PowerOff)

	// A fixed port on all addresses, with a password that changes while the VM runs.
	spec.Console = &backends.ConsoleSpec{
		Type: ptr("vnc"), Address: ptr("0.0.0.0"), Port: ptr(int64(5977)), Password: ptr("first"), PasswordVersion: ptr(int64(1)),
	}
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if c = open(); c.URL != "vnc://127.0.0.1:5977" || c.Password != "first" {
		t.Errorf("the console is at %s with a password of %d characters", c.URL, len(c.Password))
	}
	if _, err := look(t, l, c, "first"); err != nil {
		t.Error(err)
	}
	spec.Console.Password, spec.Console.PasswordVersion = ptr("second"), ptr(int64(2))
	change(t, b, id, spec, backends.Live)
	if c = open(); c.Password != "second" {
		t.Error("the console tells the old password")
	}
	if _, err := look(t, l, c, "first"); !errors.Is(err, errRefused) {
		t.Errorf("with the old password: %v", err)
	}
	if _, err := look(t, l, c, "second"); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	if text := fmt.Sprintf("%+v", get(t, b, id)) + fmt.Sprint(*get(t, b, id).Config.Console); strings.Contains(text, "second") {
		t.Error("the password is read back")
	}
	spec.Console.Password, spec.Console.PasswordVersion = nil, ptr(int64(3))
	from := get(t, b, id).Config
	err = b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: spec, Changes: backends.Diff(&from, spec), Mode: backends.Live})
	if e := wantCode(t, err, backends.Invalid); e.Path != "console.password_wo" {
		t.Errorf("%q is blamed", e.Path)
	}
	spec.Console.PasswordVersion = ptr(int64(2))
	power(t, b, id, backends.PowerOff)
	power(t, b, id, backends.PowerOn)
	if _, err := look(t, l, open(), "second"); err != nil {
		t.Errorf("after a restart with the new password: %v", err)
	}
	power(t, b, id, backends.PowerOff)

	// Spice keeps the password, and a port of libvirt's choice.
	spec.Console = &backends.ConsoleSpec{Type: ptr("spice")}
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	c = open()
	if c.Type != "spice" || !strings.HasPrefix(c.URL, "spice://127.0.0.1:59") || c.Password != "second" {
		t.Errorf("the console is %s at %s with a password of %d characters", c.Type, c.URL, len(c.Password))
	}
	conn, err := l.Dial(t.Context(), strings.TrimPrefix(c.URL, "spice://"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	power(t, b, id, backends.PowerOff)

	spec.Console = &backends.ConsoleSpec{Type: ptr("serial")}
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if c = open(); c.Type != "serial" {
		t.Errorf("the console is %+v", c)
	}
	uri, name, _ := strings.Cut(c.URL, "#")
	if got := l.Virsh(t, "ttyconsole", name); uri != l.URI() || !strings.HasPrefix(got, "/dev/pts/") {
		t.Errorf("%s leads to %q", c.URL, got)
	}
	power(t, b, id, backends.PowerOff)

	spec.Console = &backends.ConsoleSpec{Type: ptr("none")}
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if vm := get(t, b, id); vm.ConsoleType != "" {
		t.Errorf("the console is %q", vm.ConsoleType)
	}
	_, err = b.Console(t.Context(), id)
	wantCode(t, err, backends.Precondition)
	power(t, b, id, backends.PowerOff)

	// TLS that the host has no certificate for is said when the VM starts.
	spec.Console = &backends.ConsoleSpec{Type: ptr("spice"), TLS: ptr(true)}
	change(t, b, id, spec, backends.Cold)
	if v := get(t, b, id).Config.Console.PasswordVersion; v != nil {
		t.Errorf("a new screen is said to have the password of version %d that the old one had", *v)
	}
	if e := wantCode(t, b.SetPower(t.Context(), id, backends.PowerOn), backends.Precondition); !strings.Contains(e.Remedy, "spice_tls") {
		t.Errorf("the remedy is %q", e.Remedy)
	}
}

func (b *Backend) catalogue(t *testing.T) backends.Catalogue {
	t.Helper()
	info, err := b.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Catalogue
}
