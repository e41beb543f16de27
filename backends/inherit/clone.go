package inherit

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// Clone returns what a clone becomes: what asked says, and of from, the source as it was observed, what a
// clone inherits. See backends.CloneSpec for the rules.
func Clone(from, asked *backends.VMSpec) *backends.VMSpec {
	out := Merge(heritage(from), asked)
	out.Image, out.Template, out.Linked = "", "", false
	out.Disks = maps.Clone(out.Disks)
	for key, disk := range out.Disks {
		// To name a place for the disks that name none is to say where the copies go.
		if asked.Placement.Storage != nil && asked.Disks[key].Storage == nil {
			disk.Storage = asked.Placement.Storage
		}
		out.Disks[key] = disk
	}
	if out.VSphere != nil && (asked.VSphere == nil || asked.VSphere.BootOrder == nil) {
		options := *out.VSphere
		options.BootOrder = slices.DeleteFunc(slices.Clone(options.BootOrder), func(key string) bool {
			_, disk := out.Disks[key]
			_, nic := out.Networks[key]
			return !disk && !nic && key != "cdrom" // left out
		})
		out.VSphere = &options
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
	out.Console = Console(from.Console, false)
	return &out
}

// Console returns a console without what belongs to one VM alone. One that is exposed, because it loses its
// password, keeps no address that others reach.
func Console(from *backends.ConsoleSpec, exposed bool) *backends.ConsoleSpec {
	if from == nil {
		return nil
	}
	console := *from
	console.Port, console.Password, console.PasswordVersion = nil, nil, nil
	if exposed && !IsLoopback(value(console.Address)) {
		console.Address = nil
	}
	return &console
}

// IsLoopback reports whether an address is one that only the host itself reaches.
func IsLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}
