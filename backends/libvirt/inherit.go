package libvirt

import (
	"maps"

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
	if from.Console != nil {
		console := *from.Console
		console.Port, console.Password, console.PasswordVersion = nil, nil, nil
		out.Console = &console
	}
	return &out
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
	m.Settings = ""
	m.Disks, m.NICs, m.CDROM, m.Seed, m.Layers, m.Snapshots = nil, nil, nil, nil, nil, nil
	m.record(spec)
	return m
}
