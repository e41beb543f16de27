package libvirt

import (
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
)

// hideScreens has screens listen where the host's settings say, unless only the host itself reaches them.
func hideScreens(x *libvirtxml.Domain) {
	hide := func(attr *string, all *[]libvirtxml.DomainGraphicListener) {
		if !inherit.IsLoopback(*attr) {
			*attr = ""
		}
		*all = slices.DeleteFunc(*all, func(l libvirtxml.DomainGraphicListener) bool {
			return l.Network != nil || l.Address != nil && !inherit.IsLoopback(l.Address.Address)
		})
	}
	for i := range x.Devices.Graphics {
		if vnc := x.Devices.Graphics[i].VNC; vnc != nil {
			hide(&vnc.Listen, &vnc.Listeners)
		}
		if spice := x.Devices.Graphics[i].Spice; spice != nil {
			hide(&spice.Listen, &spice.Listeners)
		}
	}
}

// inheritMark is the mark that a clone begins with: what the source's tells of the hardware, and
// nothing that belongs to the source alone.
func inheritMark(source *mark, spec *backends.VMSpec) *mark {
	m := &mark{}
	if source != nil {
		m = source.clone()
	}
	m.Version, m.Token = markVersion, spec.CreateToken
	m.Partial, m.Pending, m.HadTPM, m.SeedStale, m.Adopted = false, "", false, false, false
	m.Clone, m.Template, m.Image, m.Fingerprint, m.Origin = true, false, "", "", ""
	m.Settings, m.ConsolePassword = "", nil
	m.Disks, m.NICs, m.CDROM, m.Seed, m.Layers, m.Snapshots = nil, nil, nil, nil, nil, nil
	m.record(spec)
	return m
}
