package proxmox

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// displays are the graphics cards of a new console, by the console's type.
var displays = map[string]string{"vnc": "std", "spice": "qxl", "serial": "serial0", "none": "none"}

// consoleOf is the type of console that a graphics card gives.
func consoleOf(vga vmconf.VGA) string {
	switch card := vga.Type(); {
	case strings.HasPrefix(card, "qxl"):
		return "spice"
	case strings.HasPrefix(card, "serial"):
		return "serial"
	case card == "none":
		return "none"
	}
	return "vnc"
}

// console sets the graphics card, unless that in proxmox.options gives the type of console that is asked for.
func (e *edit) console() error {
	if want := e.asked.Console; want != nil && want.Type != nil {
		kind := *want.Type
		display := displays[kind]
		if display == "" {
			return invalid("console.type", `%q is none of "vnc", "spice", "serial" and "none"`, kind)
		}
		if consoleOf(e.next.VGA()) != kind {
			if kind == "vnc" { // the usual one
				display = ""
			}
			e.set("vga", display, "console.type")
		}
	}
	// The port that is the console has to be there.
	if card := e.next.VGA().Type(); strings.HasPrefix(card, "serial") && e.next[card] == "" {
		e.set(card, "socket", "console.type")
	}
	return nil
}

func (h *hardware) observeConsole(o *observation) {
	kind := consoleOf(h.Config.VGA())
	o.Spec.Console = &backends.ConsoleSpec{Type: &kind}
	if kind != "none" {
		o.ConsoleType = kind
	}
}
