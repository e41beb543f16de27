package proxmox

import (
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// watchdogActions are those of the seam; Proxmox VE has more, which are kept where somebody set them.
var watchdogActions = []string{"", "reset", "poweroff", "pause", "none"}

// devices are the watchdog and the generator of random numbers.
func (e *edit) devices() error {
	if want := e.asked.Watchdog; changed(e.from.Watchdog, want) {
		if !slices.Contains(watchdogActions, *want) {
			return invalid("watchdog", `%q is none of "reset", "poweroff", "pause", "none" and "", which takes the device away`, *want)
		}
		text := ""
		if *want != "" {
			card := e.next.Watchdog()
			if card.Get("", "model") == "" {
				card.Props = card.With("", "i6300esb")
			}
			text = card.Put("action", *want).String()
		}
		if text != e.next["watchdog"] {
			e.set("watchdog", text, "watchdog")
		}
	}
	if want := e.asked.RNG; changed(e.from.RNG, want) && (*want || e.next["rng0"] != "") {
		text := ""
		if *want {
			text = "source=/dev/urandom"
		}
		e.set("rng0", text, "rng")
	}
	return nil
}

func (h *hardware) observeDevices(s *backends.VMSpec) {
	s.Watchdog = new("")
	if card := h.Config.Watchdog(); len(card.Props) > 0 {
		s.Watchdog = new(card.Action())
	}
	s.RNG = new(len(vmconf.ParseProps(h.Config["rng0"])) > 0)
}
