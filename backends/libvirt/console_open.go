package libvirt

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Console says where a running VM's console answers, and with which password.
//
// A screen is at vnc://HOST:PORT or spice://HOST:PORT (with TLS: spice://HOST?tls-port=PORT, as remote-viewer
// takes it). A VM without a screen has its serial console at URI#UUID: with the part before the # as
// libvirt's URI and the part behind it as the VM, "virsh -c URI console UUID" opens it.
func (b *Backend) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	const op = "open the console"
	dom, object, err := b.up(ctx, id)
	if err != nil {
		return backends.Console{}, backends.Wrap(err, op, object)
	}
	c, err := b.console(ctx, dom)
	return c, backends.Wrap(err, op, object)
}

// up finds a VM that must have a QEMU process, running or paused.
func (b *Backend) up(ctx context.Context, id backends.ID) (dom rpc.Domain, object string, err error) {
	object = backends.VMObject(string(id))
	if dom, err = b.lookup(ctx, id); err != nil {
		return dom, object, err
	}
	object = backends.VMObject(dom.Name)
	state, err := b.state(ctx, dom)
	if err == nil && !isUp(state) {
		err = backends.Errorf(backends.Precondition, "", "", "the VM is %s", statusWord(state)).Advise("Start the VM first.")
	}
	return dom, object, err
}

func (b *Backend) console(ctx context.Context, dom rpc.Domain) (backends.Console, error) {
	d, err := b.readDomain(ctx, dom, rpc.DomainXMLSecure)
	if err != nil {
		return backends.Console{}, err
	}
	kind := consoleKind(d.xml)
	switch kind {
	case consoleNone:
		return backends.Console{}, backends.Errorf(backends.Precondition, "", "", "the VM has no console").At("console.type").
			Advise("Give it one: vnc, spice or serial.")
	case consoleSerial:
		return backends.Console{Type: kind, URL: b.conn.URI() + "#" + formatUUID(dom.UUID)}, nil
	}
	s := screenOf(d.xml)
	port, tlsPort := 0, 0
	if s.vnc != nil {
		port = s.vnc.Port
	} else {
		port, tlsPort = s.spice.Port, s.spice.TLSPort
	}
	if port <= 0 && tlsPort <= 0 {
		return backends.Console{}, backends.Errorf(backends.Precondition, "", "", "the %s console has no port: it listens on a socket of the host, which was set up by hand", kind).
			At("console.type")
	}
	host, err := b.consoleHost(s, kind, max(port, tlsPort))
	if err != nil {
		return backends.Console{}, err
	}
	return backends.Console{Type: kind, URL: consoleURL(kind, host, port, tlsPort), Password: s.password()}, nil
}

func consoleURL(kind, host string, port, tlsPort int) string {
	if port > 0 {
		return kind + "://" + net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return kind + "://" + host + "?tls-port=" + strconv.Itoa(tlsPort)
}

// consoleHost is the name under which others reach what a screen listens on. All of the host's
// addresses are reached as libvirtd itself is; its loopback address is only where libvirtd is here.
func (b *Backend) consoleHost(s screen, kind string, port int) (string, error) {
	address, host := s.address(), b.conn.Host()
	ip, err := netip.ParseAddr(address)
	switch {
	case address == "" || err == nil && ip.IsUnspecified():
		if host == "" {
			return "127.0.0.1", nil
		}
		return host, nil
	case (err == nil && ip.IsLoopback() || address == "localhost") && !isHere(host):
		return "", remoteConsole(kind, address, port, host)
	}
	return address, nil
}

// isHere reports whether a host of a URI is the machine that this runs on.
func isHere(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
