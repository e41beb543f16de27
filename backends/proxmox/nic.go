package proxmox

import (
	"cmp"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// maxNICs is how many interfaces a VM can have (qemu-server).
const maxNICs = 32

// mbpsOfRate is 10^6 bits a second of what the option rate counts in, 2^20 bytes a second.
const mbpsOfRate = 8 * (1 << 20) / 1e6

// nicSlots are the slots of interfaces by key. The mark knows one by slot and MAC, by its MAC, else by its slot.
func (h *hardware) nicSlots() map[string]string {
	nics := h.Config.NICs()
	byMAC := map[string]string{}
	for _, slot := range nics {
		byMAC[h.Config.NIC(slot).MAC()] = slot
	}
	slots, taken := map[string]string{}, map[string]bool{}
	marked := h.marked().NICs
	keys := slices.Sorted(maps.Keys(marked))
	for _, key := range keys { // two may have one address
		if slot, mac := marked[key].Slot, marked[key].MAC; mac != "" && slices.Contains(nics, slot) && h.Config.NIC(slot).MAC() == mac && !taken[slot] {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, key := range keys {
		if slots[key] != "" {
			continue
		}
		if slot, ok := byMAC[marked[key].MAC]; ok && marked[key].MAC != "" && !taken[slot] {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, key := range keys {
		if slot := marked[key].Slot; slots[key] == "" && slices.Contains(nics, slot) && !taken[slot] {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, slot := range nics {
		if !taken[slot] {
			slots[free(slots, slot)] = slot
		}
	}
	return slots
}

// nics takes away, changes and adds interfaces.
func (e *edit) nics() error {
	if e.to.Networks == nil {
		return nil
	}
	base := backends.Path("networks")
	for _, key := range slices.Sorted(maps.Keys(e.plan.NICs)) {
		if _, stays := e.to.Networks[key]; !stays {
			e.set(e.plan.NICs[key], "", base.Key(key))
			delete(e.plan.NICs, key)
			delete(e.mark.NICs, key)
		}
	}
	if err := e.placeNICs(base); err != nil {
		return err
	}
	macs := map[string]string{}
	for _, key := range nicOrder(e.to.Networks) {
		path, want, slot := base.Key(key), e.to.Networks[key], e.plan.NICs[key]
		have := e.from.Networks[key]
		old, there := e.seen.NICs[key]
		nic := vmconf.NIC{}
		if there {
			nic = e.cfg.NIC(old)
		} else {
			have = backends.NIC{}
		}
		nic, err := e.nic(nic, have, want, path)
		if err != nil {
			return err
		}
		if mac := nic.MAC(); mac != "" {
			if other, twice := macs[mac]; twice && !(e.hadMAC(key, mac) && e.hadMAC(other, mac)) {
				return backends.Errorf(backends.Conflict, "", "", "networks %q and %q of the VM have one MAC address, %s", other, key, mac).At(path.Attr("mac"))
			}
			macs[mac] = key
		}
		m := e.mark.NICs[key]
		if nic.Props, m.Options, err = parts(nic.Props, m.Options, want.Options, nicParts, path.Attr("options")); err != nil {
			return err
		}
		if text := nic.String(); e.next[slot] != text {
			e.set(slot, text, path)
		}
		m.Slot, m.MAC = slot, nic.MAC()
		if asked := e.asked.Networks[key].Order; asked != nil {
			m.Order = asked
		}
		e.mark.NICs[key] = m
	}
	return nil
}

// hadMAC reports whether an interface has an address already, perhaps like another one, which Proxmox VE takes.
func (e *edit) hadMAC(key, mac string) bool {
	slot, there := e.seen.NICs[key]
	return there && e.cfg.NIC(slot).MAC() == mac
}

// placeNICs gives interfaces their slots: those that are there keep theirs, unless the order is changed.
func (e *edit) placeNICs(base backends.Path) error {
	anew := false
	for key := range e.plan.NICs {
		anew = anew || changed(e.from.Networks[key].Order, e.to.Networks[key].Order)
	}
	if anew {
		for key, slot := range e.plan.NICs {
			e.set(slot, "", base.Key(key).Attr("order"))
		}
		clear(e.plan.NICs)
	}
	taken := map[string]bool{}
	for _, slot := range e.plan.NICs {
		taken[slot] = true
	}
	for _, key := range nicOrder(e.to.Networks) {
		if e.plan.NICs[key] != "" {
			continue
		}
		for i := 0; i < maxNICs && e.plan.NICs[key] == ""; i++ {
			if slot := "net" + strconv.Itoa(i); !taken[slot] {
				e.plan.NICs[key], taken[slot] = slot, true
			}
		}
		if e.plan.NICs[key] == "" {
			return invalid(base.Key(key), "a VM has at most %d interfaces", maxNICs)
		}
	}
	return nil
}

// nicOrder is the order of interfaces on the bus: by order, then by key.
func nicOrder(nics map[string]backends.NIC) []string {
	return slices.SortedFunc(maps.Keys(nics), func(a, b string) int {
		x, y := nics[a].Order, nics[b].Order
		if (x == nil) != (y == nil) {
			return cmp.Compare(b2i(x == nil), b2i(y == nil))
		}
		return cmp.Or(cmp.Compare(value(x), value(y)), cmp.Compare(a, b))
	})
}

// nicParts are the options of an interface that attributes speak for.
var nicParts = append([]string{"model", "macaddr", "bridge", "tag", "mtu", "link_down", "rate"}, vmconf.NICModels()...)

// usualModel is that of interfaces which name none.
const usualModel = "virtio"

// nic returns an interface with what is asked of it.
func (e *edit) nic(nic vmconf.NIC, have, want backends.NIC, path backends.Path) (vmconf.NIC, error) {
	fresh := len(nic.Props) == 0
	model, mac := nic.Model(), nic.MAC()
	if changed(have.Model, want.Model) {
		if model = *want.Model; !slices.Contains(vmconf.NICModels(), model) {
			return nic, invalid(path.Attr("model"), "%q is no model that Proxmox VE has", model)
		}
	}
	if model == "" {
		model = usualModel
	}
	if changed(have.MAC, want.MAC) {
		hw, err := net.ParseMAC(*want.MAC)
		if err != nil || len(hw) != 6 || hw[0]&1 != 0 {
			return nic, invalid(path.Attr("mac"), `%q is no MAC address of a card such as "bc:24:11:00:00:01"`, *want.MAC)
		}
		mac = hw.String()
	}
	if mac == "" && fresh && e.MAC != nil {
		mac = e.MAC()
	}
	if model != nic.Model() || mac != nic.MAC() {
		nic = nic.WithCard(model, mac)
	}
	bridge := want.Network
	if bridge == nil && fresh {
		bridge = &e.World.Bridge
	}
	if changed(have.Network, bridge) {
		if *bridge == "" {
			return nic, invalid(path.Attr("network"), "it names no bridge, and the provider has none for such networks")
		}
		nic = nic.Put("bridge", *bridge)
	}
	return e.nicOptions(nic, model, have, want, path)
}

func (e *edit) nicOptions(nic vmconf.NIC, model string, have, want backends.NIC, path backends.Path) (vmconf.NIC, error) {
	for _, n := range []struct {
		attr, key   string
		have, want  *int64
		least, most int64
	}{
		{"vlan", "tag", have.VLAN, want.VLAN, 0, 4094},
		{"mtu", "mtu", have.MTU, want.MTU, 1, 65520},
	} {
		if !changed(n.have, n.want) {
			continue
		}
		if *n.want < n.least || *n.want > n.most {
			return nic, invalid(path.Attr(n.attr), "%d is not between %d and %d", *n.want, n.least, n.most)
		}
		nic = nic.Put(n.key, positive(*n.want))
	}
	if model != usualModel && nic.Get("mtu") != "" && (changed(have.MTU, want.MTU) || changed(have.Model, want.Model)) {
		if changed(have.MTU, want.MTU) {
			return nic, invalid(path.Attr("mtu"), "only virtio cards are told, and this one is %s", model)
		}
		nic = nic.Put("mtu", "") // it went with the card
	}
	if changed(have.Connected, want.Connected) {
		down := "1"
		if *want.Connected {
			down = ""
		}
		nic = nic.Put("link_down", down)
	}
	if changed(have.BandwidthMbps, want.BandwidthMbps) {
		if *want.BandwidthMbps < 0 {
			return nic, invalid(path.Attr("bandwidth_mbps"), "%d is less than 0, which is none", *want.BandwidthMbps)
		}
		rate := ""
		if *want.BandwidthMbps > 0 {
			rate = vmconf.Rational(float64(*want.BandwidthMbps)/mbpsOfRate, 6)
		}
		nic = nic.Put("rate", rate)
	}
	return nic, nil
}

func (h *hardware) observeNICs(o *observation) {
	o.Spec.Networks = map[string]backends.NIC{}
	for key, slot := range o.NICs {
		nic := h.Config.NIC(slot)
		n := backends.NIC{
			VLAN: new(whole(nic.Get("tag"))), Model: new(nic.Model()), Connected: new(!nic.Bool("link_down", false)),
			Order: h.marked().NICs[key].Order, BandwidthMbps: new(observeRate(nic.Get("rate"))),
			Options: observeParts(nic.Props, h.marked().NICs[key].Options),
		}
		if bridge := nic.Get("bridge"); bridge != "" {
			n.Network = &bridge
		}
		if mac := nic.MAC(); mac != "" {
			n.MAC = &mac
		}
		if mtu := whole(nic.Get("mtu")); mtu > 0 {
			n.MTU = &mtu
		}
		o.Spec.Networks[key] = n
		o.Networks[key] = backends.NICStatus{MAC: nic.MAC()}
	}
}

func observeRate(text string) int64 {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate < 1<<40) {
		return 0
	}
	return max(int64(math.Round(rate*mbpsOfRate)), 1)
}
