package vcsim_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// lab is a server with a client that calls it as any would.
type lab struct {
	*vcsim.Server

	t      *testing.T
	client *govmomi.Client
	find   *find.Finder
}

func newLab(t *testing.T, o vcsim.Options) *lab {
	t.Helper()

	s := vcsim.Start(t, o)
	l := &lab{Server: s, t: t, client: connect(t, s)}
	l.find = find.NewFinder(l.client.Client)

	dc, err := l.find.Datacenter(t.Context(), s.Seed.Datacenter)
	if err != nil {
		t.Fatal(err)
	}

	l.find.SetDatacenter(dc)

	return l
}

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()

	return func(v T, err error) T {
		t.Helper()

		if err != nil {
			t.Fatal(err)
		}

		return v
	}
}

// faultOf returns the name of the fault's type, "" without an error.
func faultOf(err error) string {
	if err == nil {
		return ""
	}

	var inTask task.Error
	if errors.As(err, &inTask) {
		return reflect.TypeOf(inTask.Fault()).Elem().Name()
	}

	if soap.IsSoapFault(err) {
		f := soap.ToSoapFault(err).VimFault()
		if f == nil {
			return err.Error()
		}

		return strings.TrimPrefix(reflect.TypeOf(f).String(), "types.")
	}

	if soap.IsVimFault(err) {
		return reflect.TypeOf(soap.ToVimFault(err)).Elem().Name()
	}

	return err.Error()
}

// run waits for a task.
func run(ctx context.Context, t *object.Task, err error) error {
	if err != nil {
		return err
	}

	return t.Wait(ctx)
}

func (l *lab) folder() *object.Folder {
	l.t.Helper()

	dc := must[*object.Datacenter](l.t)(l.find.Datacenter(l.t.Context(), l.Seed.Datacenter))

	return must[*object.DatacenterFolders](l.t)(dc.Folders(l.t.Context())).VmFolder
}

func (l *lab) hostNamed(name string) *object.HostSystem {
	l.t.Helper()

	return must[*object.HostSystem](l.t)(l.find.HostSystem(l.t.Context(), "*/"+name))
}

// spec returns what creates a machine with a disk of 1 GiB and a card.
func (l *lab) spec(name string, edits ...func(*types.VirtualMachineConfigSpec)) types.VirtualMachineConfigSpec {
	l.t.Helper()

	var devices object.VirtualDeviceList

	scsi := must[types.BaseVirtualDevice](l.t)(devices.CreateSCSIController("pvscsi"))
	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), types.ManagedObjectReference{}, "")
	disk.CapacityInKB = 1 << 20
	disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo).FileName = "[datastore1]"
	nic := must[types.BaseVirtualDevice](l.t)(devices.CreateEthernetCard("vmxnet3", standardNetwork(l.Seed.Network)))

	spec := types.VirtualMachineConfigSpec{
		Name: name, NumCPUs: 2, MemoryMB: 1024,
		GuestId: string(types.VirtualMachineGuestOsIdentifierOther5xLinux64Guest),
		Files:   &types.VirtualMachineFileInfo{VmPathName: "[datastore1]"},
	}
	spec.DeviceChange = must[[]types.BaseVirtualDeviceConfigSpec](l.t)(object.VirtualDeviceList{scsi, disk, nic}.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd))

	for _, edit := range edits {
		edit(&spec)
	}

	return spec
}

func standardNetwork(name string) types.BaseVirtualDeviceBackingInfo {
	return &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: name},
	}
}

// create makes a machine in the first cluster, or on a stand-alone host.
func (l *lab) create(spec types.VirtualMachineConfigSpec) (*object.VirtualMachine, error) {
	l.t.Helper()

	ctx := l.t.Context()
	path := "*/Resources"

	if len(l.Seed.Clusters) > 0 {
		path = l.Seed.Clusters[0] + "/Resources"
	}

	pool := must[*object.ResourcePool](l.t)(l.find.ResourcePool(ctx, path))

	task, err := l.folder().CreateVM(ctx, spec, pool, nil)
	if err != nil {
		return nil, err
	}

	info, err := task.WaitForResult(ctx, nil)
	if err != nil {
		return nil, err
	}

	return object.NewVirtualMachine(l.client.Client, info.Result.(types.ManagedObjectReference)), nil
}

func (l *lab) vm(name string, edits ...func(*types.VirtualMachineConfigSpec)) *object.VirtualMachine {
	l.t.Helper()

	return must[*object.VirtualMachine](l.t)(l.create(l.spec(name, edits...)))
}

func (l *lab) reconfigure(vm *object.VirtualMachine, spec types.VirtualMachineConfigSpec) error {
	t, err := vm.Reconfigure(l.t.Context(), spec)

	return run(l.t.Context(), t, err)
}

func (l *lab) start(vm *object.VirtualMachine) {
	l.t.Helper()

	t, err := vm.PowerOn(l.t.Context())
	if err := run(l.t.Context(), t, err); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) properties(vm *object.VirtualMachine) mo.VirtualMachine {
	l.t.Helper()

	var p mo.VirtualMachine
	if err := property.DefaultCollector(l.client.Client).RetrieveOne(l.t.Context(), vm.Reference(), nil, &p); err != nil {
		l.t.Fatal(err)
	}

	return p
}

// device returns the first device of the type.
func device[T types.BaseVirtualDevice](l *lab, vm *object.VirtualMachine) T {
	l.t.Helper()

	for _, d := range l.properties(vm).Config.Hardware.Device {
		if found, ok := d.(T); ok {
			return found
		}
	}

	l.t.Fatalf("no %T", *new(T))

	return *new(T)
}

// change returns a specification that does one thing to one device.
func change(op types.VirtualDeviceConfigSpecOperation, d types.BaseVirtualDevice) types.VirtualMachineConfigSpec {
	return types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: op, Device: d},
	}}
}

const (
	addDevice    = types.VirtualDeviceConfigSpecOperationAdd
	removeDevice = types.VirtualDeviceConfigSpecOperationRemove
	editDevice   = types.VirtualDeviceConfigSpecOperationEdit
)
