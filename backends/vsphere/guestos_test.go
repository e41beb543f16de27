package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A vCenter can be newer than its hosts, and a cluster can have hosts of several releases: a VM's guest has to be one that all of them know.
func TestGuestOSIsKnownToTheHosts(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	r.conn.VIM().ServiceContent.About.ApiVersion = "8.0.3.0"
	r.release("8.0.3.0", r.sim.Seed.Hosts[0]...)
	r.hasGuest("new", types.VirtualMachineGuestOsIdentifierOther6xLinux64Guest)
	r.release("7.0.3.0", r.sim.Seed.Hosts[0][1])
	r.hasGuest("mixed", types.VirtualMachineGuestOsIdentifierOther5xLinux64Guest)
	r.release("6.7.3", r.sim.Seed.Hosts[0]...)
	r.hasGuest("old", types.VirtualMachineGuestOsIdentifierOther4xLinux64Guest)
}

// Administrators can give a cluster or datacenter an older virtual hardware than its hosts have.
func TestGuestOSIsKnownToTheDefaultHardware(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	r.conn.VIM().ServiceContent.About.ApiVersion = "8.0.3.0"
	r.release("8.0.3.0", r.sim.Seed.Hosts[0]...)
	dc, err := r.sim.Find("Datacenter", r.sim.Seed.Datacenter)
	if err != nil {
		t.Fatal(err)
	}
	ctx := r.sim.Context()
	ctx.WithLock(dc, func() {
		ctx.Map.Get(dc).(*simulator.Datacenter).Configuration.DefaultHardwareVersionKey = "vmx-17"
	})
	r.inv.Forget()
	r.hasGuest("by datacenter", types.VirtualMachineGuestOsIdentifierOther5xLinux64Guest)
	cluster, err := r.sim.Find("ClusterComputeResource", r.sim.Seed.Clusters[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx.WithLock(cluster, func() {
		ctx.Map.Get(cluster).(*simulator.ClusterComputeResource).ConfigurationEx.GetComputeResourceConfigInfo().DefaultHardwareVersionKey = "vmx-14"
	})
	r.inv.Forget()
	r.hasGuest("by cluster", types.VirtualMachineGuestOsIdentifierOther4xLinux64Guest)
}

// hasGuest makes a VM whose guest has a portable name.
func (r *rig) hasGuest(name string, want types.VirtualMachineGuestOsIdentifier) {
	r.t.Helper()
	spec := r.spec(name)
	spec.GuestOS = new("linux")
	id := r.create(spec)
	if got := r.machineOf(id).Config.GuestId; got != string(want) {
		r.t.Errorf("VM %q has the guest %q, want %q", name, got, want)
	}
	r.matches(id, spec)
}

// release gives hosts a release of ESXi.
func (r *rig) release(api string, hosts ...string) {
	r.t.Helper()
	for _, name := range hosts {
		ref, err := r.sim.Find("HostSystem", name)
		if err != nil {
			r.t.Fatal(err)
		}
		ctx := r.sim.Context()
		ctx.WithLock(ref, func() {
			host := ctx.Map.Get(ref).(*simulator.HostSystem)
			product := *host.Summary.Config.Product
			product.ApiVersion = api
			host.Summary.Config.Product = &product
		})
	}
	r.inv.Forget()
}
