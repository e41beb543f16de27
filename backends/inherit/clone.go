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
		options.BootOrder = bootable(out, options.BootOrder)
		out.VSphere = &options
	}
	if out.Proxmox != nil && (asked.Proxmox == nil || asked.Proxmox.BootOrder == nil) {
		options := *out.Proxmox
		options.BootOrder = bootable(out, options.BootOrder)
		out.Proxmox = &options
	}
	return out
}

// bootable is an order of boot without what the clone left out.
func bootable(spec *backends.VMSpec, order []string) []string {
	return slices.DeleteFunc(slices.Clone(order), func(key string) bool {
		_, disk := spec.Disks[key]
		_, nic := spec.Networks[key]
		return !disk && !nic && key != "cdrom"
	})
}

// heritage is a VM's specification without what belongs to that VM alone.
func heritage(from *backends.VMSpec) *backends.VMSpec {
	out := *from
	out.Name, out.CreateToken, out.Settings, out.Customization = "", "", nil, nil
	out.Placement.Host = nil
	if from.Proxmox != nil {
		options := *from.Proxmox
		options.VMID = nil
		out.Proxmox = &options
	}
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
