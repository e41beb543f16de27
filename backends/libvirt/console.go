package libvirt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// The types of consoles. "serial" is a VM without a screen, "none" one without a serial
// port, too.
const (
	consoleVNC    = "vnc"
	consoleSpice  = "spice"
	consoleSerial = "serial"
	consoleNone   = "none"
)

// leastVNCPort is the port of VNC's display 0: QEMU has none below.
const leastVNCPort = 5900

// mostVNCPassword is what VNC's own authentication looks at.
const mostVNCPassword = 8

// setConsole gives a domain the console that is asked for; what is nil stays, and is a VNC screen
// with a port of libvirt's choice in a new domain. No listen address is the host's own setting
// (vnc_listen, spice_listen), usually 127.0.0.1.
func setConsole(d *libvirtxml.Domain, want *backends.ConsoleSpec) {
	c := backends.ConsoleSpec{}
	if want != nil {
		c = *want
	}
	dev := d.Devices
	kind := deref(c.Type)
	if kind == "" {
		kind = cmp.Or(screenOf(d).kind(), consoleVNC)
	}
	if kind == consoleNone {
		dev.Serials, dev.Consoles = nil, nil
	} else if len(dev.Serials) == 0 && len(dev.Consoles) == 0 {
		addSerial(dev)
	}
	old := screenOf(d)
	s := old
	if s.kind() != kind {
		s = screen{}
		switch kind {
		case consoleVNC:
			s.vnc = &libvirtxml.DomainGraphicVNC{AutoPort: "yes", Passwd: old.password()}
		case consoleSpice:
			s.spice = &libvirtxml.DomainGraphicSpice{AutoPort: "yes", Passwd: old.password()}
		}
	}
	dev.Graphics = slices.DeleteFunc(dev.Graphics, func(g libvirtxml.DomainGraphic) bool { return g.VNC != nil || g.Spice != nil })
	if s.spice == nil {
		dropSpiceDevices(dev)
	}
	s.set(c)
	switch {
	case s.vnc != nil:
		dev.Graphics = append(dev.Graphics, libvirtxml.DomainGraphic{VNC: s.vnc})
	case s.spice != nil:
		dev.Graphics = append(dev.Graphics, libvirtxml.DomainGraphic{Spice: s.spice})
	}
}

func addSerial(dev *libvirtxml.DomainDeviceList) {
	dev.Serials = append(dev.Serials, libvirtxml.DomainSerial{
		Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
		Target: &libvirtxml.DomainSerialTarget{Port: ptr(uint(0))},
	})
	dev.Consoles = append(dev.Consoles, libvirtxml.DomainConsole{
		Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
		Target: &libvirtxml.DomainConsoleTarget{Type: "serial", Port: ptr(uint(0))},
	})
}

// dropSpiceDevices removes what only works beside a Spice screen.
func dropSpiceDevices(dev *libvirtxml.DomainDeviceList) {
	dev.Audios = slices.DeleteFunc(dev.Audios, func(a libvirtxml.DomainAudio) bool { return a.SPICE != nil })
	dev.Channels = slices.DeleteFunc(dev.Channels, func(c libvirtxml.DomainChannel) bool {
		return c.Source != nil && (c.Source.SpiceVMC != nil || c.Source.SpicePort != nil)
	})
	dev.RedirDevs = slices.DeleteFunc(dev.RedirDevs, func(r libvirtxml.DomainRedirDev) bool {
		return r.Source != nil && r.Source.SpiceVMC != nil
	})
}

// screen is the device behind a domain's console; neither where it has no screen.
type screen struct {
	vnc   *libvirtxml.DomainGraphicVNC
	spice *libvirtxml.DomainGraphicSpice
}

// screenOf is a copy of a domain's first screen that can be reached from elsewhere.
func screenOf(d *libvirtxml.Domain) screen {
	for _, g := range d.Devices.Graphics {
		switch {
		case g.VNC != nil:
			v := *g.VNC
			return screen{vnc: &v}
		case g.Spice != nil:
			s := *g.Spice
			return screen{spice: &s}
		}
	}
	return screen{}
}

func (s screen) kind() string {
	switch {
	case s.vnc != nil:
		return consoleVNC
	case s.spice != nil:
		return consoleSpice
	}
	return ""
}

func (s screen) password() string {
	switch {
	case s.vnc != nil:
		return s.vnc.Passwd
	case s.spice != nil:
		return s.spice.Passwd
	}
	return ""
}

// set writes what is set in c.
func (s screen) set(c backends.ConsoleSpec) {
	listen := func(attr *string, all *[]libvirtxml.DomainGraphicListener) {
		if c.Address != nil {
			*attr = ""
			*all = []libvirtxml.DomainGraphicListener{{Address: &libvirtxml.DomainGraphicListenerAddress{Address: *c.Address}}}
		}
	}
	switch {
	case s.vnc != nil:
		listen(&s.vnc.Listen, &s.vnc.Listeners)
		if c.Port != nil {
			s.vnc.Port, s.vnc.AutoPort = int(*c.Port), choose(*c.Port == 0, "yes", "no")
		}
		if c.Password != nil {
			s.vnc.Passwd = *c.Password
		}
	case s.spice != nil:
		listen(&s.spice.Listen, &s.spice.Listeners)
		port := c.Port
		if port == nil && s.spice.AutoPort == "no" {
			port = ptr(int64(cmp.Or(max(s.spice.Port, 0), s.spice.TLSPort)))
		}
		if c.TLS != nil {
			s.spice.DefaultMode = choose(*c.TLS, "secure", "")
		}
		if c.TLS != nil || c.Port != nil {
			s.spice.Port, s.spice.TLSPort, s.spice.AutoPort = 0, 0, "yes"
			if deref(port) > 0 {
				s.spice.AutoPort = "no"
				if s.spice.DefaultMode == "secure" {
					s.spice.Port, s.spice.TLSPort = -1, int(*port)
				} else {
					s.spice.Port = int(*port)
				}
			}
		}
		if c.Password != nil {
			s.spice.Passwd = *c.Password
		}
	}
}

// consoleKind is the type of a domain's console.
func consoleKind(d *libvirtxml.Domain) string {
	if kind := screenOf(d).kind(); kind != "" {
		return kind
	}
	if len(d.Devices.Serials) > 0 || len(d.Devices.Consoles) > 0 {
		return consoleSerial
	}
	return consoleNone
}

// observeConsole reads a console back, without its password.
func observeConsole(d *libvirtxml.Domain, m *mark) *backends.ConsoleSpec {
	c := &backends.ConsoleSpec{Type: ptr(consoleKind(d))}
	s := screenOf(d)
	if s.kind() == "" {
		return c
	}
	if address := s.address(); address != "" {
		c.Address = ptr(address)
	}
	c.Port, c.TLS = ptr(int64(0)), ptr(false)
	switch {
	case s.vnc != nil && s.vnc.AutoPort != "yes":
		c.Port = ptr(int64(max(0, s.vnc.Port)))
	case s.spice != nil:
		c.TLS = ptr(s.spice.DefaultMode == "secure")
		if s.spice.AutoPort != "yes" {
			c.Port = ptr(int64(cmp.Or(max(0, s.spice.Port), max(0, s.spice.TLSPort))))
		}
	}
	if m != nil {
		c.PasswordVersion = m.ConsolePassword
	}
	return c
}

// address is what a screen listens on; "" where the host's setting decides, or it is no address.
func (s screen) address() string {
	attr, all := "", []libvirtxml.DomainGraphicListener(nil)
	switch {
	case s.vnc != nil:
		attr, all = s.vnc.Listen, s.vnc.Listeners
	case s.spice != nil:
		attr, all = s.spice.Listen, s.spice.Listeners
	}
	for _, l := range all {
		if l.Address != nil && l.Address.Address != "" {
			return l.Address.Address
		}
		if l.Network != nil && l.Network.Address != "" {
			return l.Network.Address
		}
	}
	return attr
}

func validateConsole(spec *backends.VMSpec, h *hostFacts) error {
	c := spec.Console
	if c == nil {
		return nil
	}
	const p = backends.Path("console")
	kind := cmp.Or(deref(c.Type), consoleVNC)
	switch kind {
	case consoleVNC, consoleSpice:
		if !h.hasGraphics(kind) {
			return backends.Errorf(backends.Unsupported, "", "", "the QEMU of the host %q was built without %s", h.hostname, kind).At(p.Attr("type"))
		}
	case consoleSerial, consoleNone:
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"address", c.Address != nil},
			{"port", deref(c.Port) != 0},
			{"tls", isTrue(c.TLS)},
			{"password_wo", c.Password != nil},
		} {
			if f.set {
				return invalid(p.Attr(f.name), "a console of type %q is reached through libvirt alone and has none", kind)
			}
		}
		return nil
	default:
		return invalid(p.Attr("type"), "%q is no type of console", kind)
	}
	if c.Address != nil && (*c.Address == "" || !isXMLText(*c.Address)) {
		return invalid(p.Attr("address"), "%q is no address", *c.Address)
	}
	if port := deref(c.Port); port != 0 && (port < 1 || port > 65535 || kind == consoleVNC && port < leastVNCPort) {
		return invalid(p.Attr("port"), "%d is no port for %s; it is %d to 65535, or 0 for libvirt's choice", port, kind, map[string]int{consoleVNC: leastVNCPort, consoleSpice: 1}[kind])
	}
	if isTrue(c.TLS) && kind == consoleVNC {
		return backends.Errorf(backends.Unsupported, "", "", "libvirt has TLS for VNC as a setting of the whole host, not of one VM").At(p.Attr("tls")).
			Advise("Set vnc_tls = 1 in /etc/libvirt/qemu.conf on the host and leave console.tls unset, or use the type %q.", consoleSpice)
	}
	if c.Password != nil {
		switch {
		case *c.Password == "":
			return invalid(p.Attr("password_wo"), "it is empty, which would let nobody in")
		case !isXMLText(*c.Password):
			return invalid(p.Attr("password_wo"), "it contains control characters, which libvirt cannot keep")
		case kind == consoleVNC && len(*c.Password) > mostVNCPassword:
			return invalid(p.Attr("password_wo"), "VNC looks at %d characters of a password, and this one is longer", mostVNCPassword)
		}
	}
	return nil
}

// admitPassword demands the password where its version changes: nobody else knows it.
func (e *edit) admitPassword(changes []backends.Change) error {
	for _, c := range changes {
		if c.Path == "console.password_wo_version" && e.to.Console.Password == nil {
			return invalid("console.password_wo", "its version changes, so the password must be given again")
		}
	}
	return nil
}

// changePassword gives the console of a running VM another password, in QEMU and in the definition.
// libvirt compares everything else of the device, so each gets its own.
func (e *edit) changePassword(ctx context.Context) error {
	const path = backends.Path("console.password_wo")
	for _, of := range []struct {
		read rpc.DomainXMLFlags
		flag rpc.DomainDeviceModifyFlags
	}{
		{rpc.DomainXMLSecure, rpc.DomainDeviceModifyLive},
		{xmlFlags, rpc.DomainDeviceModifyConfig},
	} {
		d, err := e.readDomain(ctx, e.dom, of.read)
		if err != nil {
			return err
		}
		s := screenOf(d.xml)
		if s.kind() == "" {
			return backends.Errorf(backends.Precondition, "", "", "the VM has no screen that a password could protect").At(path)
		}
		s.set(backends.ConsoleSpec{Password: e.to.Console.Password})
		text, err := deviceXML(&libvirtxml.DomainGraphic{VNC: s.vnc, Spice: s.spice})
		if err != nil {
			return err
		}
		err = e.again(ctx, func(l *rpc.Libvirt) error { return l.DomainUpdateDeviceFlags(e.dom, text, of.flag) })
		if err != nil {
			return at(err, path)
		}
	}
	if e.to.Console.PasswordVersion != nil {
		e.d.mark.ConsolePassword = e.to.Console.PasswordVersion
	}
	return e.refresh(ctx)
}

// hasGraphics reports whether the host's QEMU has a kind of screen; unknown counts as yes.
func (h *hostFacts) hasGraphics(kind string) bool {
	return len(h.graphics) == 0 || slices.Contains(h.graphics, kind)
}

// remoteConsole says how to reach a console that only the host itself can.
func remoteConsole(kind, address string, port int, host string) error {
	return backends.Errorf(backends.Precondition, "", "", "the %s console listens on %s, which only the host %q itself reaches", kind, address, host).
		At("console.address").
		Advise("%s", fmt.Sprintf("Set console.address to an address of the host, or go through it: ssh -L %d:%s:%d %s", port, address, port, host))
}
