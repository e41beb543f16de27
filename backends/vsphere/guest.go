package vsphere

import (
	"context"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// observeGuest returns what the guest's tools say, nil where they do not run, and fills in the addresses of
// nics. vSphere keeps it with the VM, so it costs no call to the guest.
func (m *machine) observeGuest(nics map[string]backends.NICStatus) *backends.Guest {
	info := m.Guest
	if info == nil || m.power() != backends.Running || !toolsRun(info) {
		return nil
	}
	g := &backends.Guest{
		Hostname: info.HostName, OS: info.GuestFullName, AgentVersion: info.ToolsVersion, AgentRunning: true,
		Interfaces: []backends.GuestInterface{},
	}
	if g.OS == "" {
		g.OS = info.GuestId
	}
	for _, nic := range info.Net {
		i := backends.GuestInterface{MAC: strings.ToLower(nic.MacAddress), Addresses: nic.IpAddress}
		if nic.IpConfig != nil && len(i.Addresses) == 0 {
			for _, a := range nic.IpConfig.IpAddress {
				i.Addresses = append(i.Addresses, a.IpAddress)
			}
		}
		g.Interfaces = append(g.Interfaces, i)
	}
	for key, status := range nics {
		status.Addresses, _ = g.AddressesOf(status.MAC)
		nics[key] = status
	}
	return g
}

func toolsRun(info *types.GuestInfo) bool {
	return info.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
}

// GuestInfo returns what the guest's tools last told vSphere. Users and the clock are not among it.
func (b *Backend) GuestInfo(ctx context.Context, id backends.ID) (backends.Guest, error) {
	const op = "ask the guest agent"
	got, err := b.machines(ctx, []backends.ID{id}, []string{"name", "runtime", "guest"})
	if err == nil {
		err = got[id].err
	}
	if err != nil {
		return backends.Guest{}, backends.Wrap(err, op, backends.VMObject(string(id)))
	}
	m := got[id].machine
	if m.power() != backends.Running {
		return backends.Guest{}, backends.Errorf(backends.Precondition, op, m.object(), "the VM is %s", m.power()).Advise("%s", powerRemedy(m.power()))
	}
	g := m.observeGuest(nil)
	if g == nil {
		return backends.Guest{}, backends.Errorf(backends.Precondition, op, m.object(), "VMware Tools do not run in the guest").
			Advise("Install and start open-vm-tools or VMware Tools in the VM, or wait until it has booted.")
	}
	g.FileSystems = []backends.GuestFileSystem{}
	for _, d := range m.Guest.Disk {
		fs := backends.GuestFileSystem{MountPoint: d.DiskPath, Type: d.FilesystemType, TotalBytes: d.Capacity, UsedBytes: d.Capacity - d.FreeSpace}
		g.FileSystems = append(g.FileSystems, fs)
	}
	return *g, nil
}
