package libvirt

import (
	"maps"
	"net/netip"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// inherit is what a clone becomes: what asked says, and of from, the source as it was observed, what a
// clone inherits. See backends.CloneSpec for the rules. It is pure.
func inherit(from, asked *backends.VMSpec) *backends.VMSpec {
	out := merge(heritage(from), asked)
	out.Image, out.Template, out.Linked = "", "", false
	out.Disks = maps.Clone(out.Disks)
	for key, disk := range out.Disks {
		// To name a place for the disks that name none is to say where the copies go.
		if asked.Placement.Storage != nil && asked.Disks[key].Storage == nil {
			disk.Storage = asked.Placement.Storage
		}
		out.Disks[key] = disk
	}
	return out
}

// heritage is a VM's specification without what belongs to that VM alone.
func heritage(from *backends.VMSpec) *backends.VMSpec {
	out := *from
	out.Name, out.CreateToken, out.Settings, out.Customization = "", "", nil, nil
	out.Placement.Host = nil
	out.Disks = maps.Clone(from.Disks)
	for key, disk := range out.Disks {
		disk.Volume, disk.KeepOnDestroy = nil, nil // a copy is the clone's own
		out.Disks[key] = disk
	}
	out.Networks = maps.Clone(from.Networks)
	for key, nic := range out.Networks {
		nic.MAC, nic.IPv4, nic.IPv6 = nil, nil, nil
		out.Networks[key] = nic
	}
	if from.CloudInit != nil {
		ci := *from.CloudInit
		ci.Hostname, ci.InstanceID, ci.NetworkConfig = nil, nil, nil
		if ci.MetaData != nil {
			// What cannot be read was no obstacle to the source, and is none here.
			if meta, err := cloudinit.WithoutIdentity(*ci.MetaData); err == nil {
				ci.MetaData = nil
				if meta != "" {
					ci.MetaData = &meta
				}
			}
		}
		out.CloudInit = &ci
	}
	out.Console = inheritConsole(from.Console, false)
	return &out
}

// inheritConsole is a console without what belongs to one VM alone. One that is exposed, because it loses its
// password, keeps no address that others reach.
func inheritConsole(from *backends.ConsoleSpec, exposed bool) *backends.ConsoleSpec {
	if from == nil {
		return nil
	}
	console := *from
	console.Port, console.Password, console.PasswordVersion = nil, nil, nil
	if exposed && !isLoopback(deref(console.Address)) {
		console.Address = nil
	}
	return &console
}

// isLoopback reports whether an address is one that only the host itself reaches.
func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}

// hideScreens has screens listen where the host's settings say, unless only the host itself reaches them.
func hideScreens(x *libvirtxml.Domain) {
	hide := func(attr *string, all *[]libvirtxml.DomainGraphicListener) {
		if !isLoopback(*attr) {
			*attr = ""
		}
		*all = slices.DeleteFunc(*all, func(l libvirtxml.DomainGraphicListener) bool {
			return l.Network != nil || l.Address != nil && !isLoopback(l.Address.Address)
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
