package vsphere

import (
	"context"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// machine is a VM as vSphere tells it, with its mark and the names of what it refers to.
type machine struct {
	mo.VirtualMachine
	mark  *mark // nil where there is none
	index *inventory.Index
	tags  []string // sorted; nil where they were not read
	// policies are the names of the storage policies of disks, by device key, as far as they were read.
	policies map[int32]string
}

func reference(id backends.ID) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "VirtualMachine", Value: string(id)}
}

func (m *machine) id() backends.ID { return backends.ID(m.Self.Value) }

// object names the VM in errors.
func (m *machine) object() string { return backends.VMObject(m.Name) }

// devices are the VM's virtual devices.
func (m *machine) devices() object.VirtualDeviceList {
	if m.Config == nil {
		return nil
	}
	return m.Config.Hardware.Device
}

// power is the VM's power state; vSphere suspends to disk.
func (m *machine) power() backends.PowerState {
	switch m.Runtime.PowerState {
	case types.VirtualMachinePowerStatePoweredOn:
		return backends.Running
	case types.VirtualMachinePowerStatePoweredOff:
		return backends.Stopped
	case types.VirtualMachinePowerStateSuspended:
		return backends.Suspended
	}
	return backends.Unknown
}

// configPaths are the properties of which a VM's configuration is made, runtimePaths those
// of its state; name and mark are in both.
var (
	listPaths    = []string{"name", "runtime.powerState", "runtime.host", "config.template", "config.instanceUuid", "config.extraConfig"}
	runtimePaths = []string{"name", "runtime", "guest", "config.template", "config.uuid", "config.instanceUuid", "config.extraConfig", "config.hardware"}
	configPaths  = []string{"name", "config", "runtime", "guest", "parent", "resourcePool", "datastore", "snapshot", "layoutEx", "availableField", "customValue"}
)

// machine reads one VM whole. One that does not exist is a NotFound. The error names op and the VM's id.
func (b *Backend) machine(ctx context.Context, id backends.ID, op string) (*machine, error) {
	got, err := b.machines(ctx, []backends.ID{id}, configPaths)
	if err != nil {
		return nil, backends.Wrap(err, op, backends.VMObject(string(id)))
	}
	r := got[id]
	if r.err != nil {
		return nil, backends.Wrap(r.err, op, backends.VMObject(string(id)))
	}
	return r.machine, nil
}

// vm is the handle of a VM for calls.
func (b *Backend) vm(id backends.ID) *object.VirtualMachine {
	return object.NewVirtualMachine(b.conn.VIM(), reference(id))
}

// reconfigure sends one specification and waits for it. The VM must be as m says: where somebody
// changed it since, the error is Locked, so that the caller reads and tries again.
func (b *Backend) reconfigure(ctx context.Context, m *machine, op string, spec types.VirtualMachineConfigSpec) error {
	if m.Config != nil {
		spec.ChangeVersion = m.Config.ChangeVersion
	}
	_, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		return b.vm(m.id()).Reconfigure(ctx, spec)
	})
	return fault.Wrap(err, op, m.object())
}
