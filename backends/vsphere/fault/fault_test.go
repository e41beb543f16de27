package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// soapFault is a fault as the answer to a call.
func soapFault(f types.BaseMethodFault, text string) error {
	s := &soap.Fault{Code: "ServerFaultCode", String: text}
	s.Detail.Fault = f
	return soap.WrapSoapFault(s)
}

// taskFault is a fault as the end of a task.
func taskFault(f types.BaseMethodFault, text string) error {
	return OfTask(&types.TaskInfo{Error: &types.LocalizedMethodFault{Fault: f, LocalizedMessage: text}})
}

var (
	vm     = types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-1"}
	folder = types.ManagedObjectReference{Type: "Folder", Value: "group-v3"}
	host   = types.ManagedObjectReference{Type: "HostSystem", Value: "host-7"}
)

func spec(i int32) types.InvalidDeviceSpec {
	return types.InvalidDeviceSpec{DeviceIndex: i, InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device"}}
}

func TestFaults(t *testing.T) {
	file := types.FileFault{File: "[a] b.vmdk"}
	for _, test := range []struct {
		fault types.BaseMethodFault
		code  backends.Code
		text  string
	}{
		{&types.ManagedObjectNotFound{Obj: vm}, backends.NotFound, "VM vm-1 does not exist"},
		{&types.FileNotFound{FileFault: file}, backends.NotFound, "[a] b.vmdk"},
		{&types.NotFound{}, backends.NotFound, ""},
		{&types.DuplicateName{Name: "web", Object: vm}, backends.Conflict, `"web" is taken by VM vm-1`},
		{&types.AlreadyExists{Name: "x"}, backends.Conflict, `"x"`},
		{&types.FileAlreadyExists{FileFault: file}, backends.Conflict, "[a] b.vmdk"},
		{&types.TaskInProgress{}, backends.Locked, "another task"},
		{&types.VAppTaskInProgress{}, backends.Locked, "vApp"},
		{&types.ConcurrentAccess{}, backends.Locked, "somebody else"},
		{&types.FileLocked{FileFault: file}, backends.Locked, "in use"},
		{&types.ResourceInUse{Type: "VirtualDisk", Name: "d"}, backends.Locked, `virtual disk "d" is in use`},
		{&types.SnapshotLocked{}, backends.Locked, ""},
		{&types.NotAuthenticated{}, backends.Auth, "session"},
		{&types.InvalidLogin{}, backends.Auth, "password is wrong"},
		{&types.PasswordExpired{}, backends.Auth, "expired"},
		{&types.NoPermission{Object: &folder, PrivilegeId: "Folder.Create"}, backends.Auth, "privilege Folder.Create on folder group-v3"},
		{&types.InvalidGuestLogin{}, backends.Auth, "guest"},
		{&types.NoDiskSpace{FileFault: file, Datastore: "small"}, backends.Exhausted, `datastore "small"`},
		{&types.InsufficientStorageSpace{}, backends.Exhausted, ""},
		{&types.InsufficientMemoryResourcesFault{Requested: 2 << 30, Unreserved: 1 << 30}, backends.Exhausted, "2048 MiB is asked for, 1024 MiB"},
		{&types.InsufficientCpuResourcesFault{Requested: 500, Unreserved: 20}, backends.Exhausted, "500 MHz"},
		{&types.InsufficientHostMemoryCapacityFault{}, backends.Exhausted, "host"},
		{&types.InsufficientFailoverResourcesFault{}, backends.Exhausted, "cluster"},
		{&types.InsufficientResourcesFault{}, backends.Exhausted, "not enough"},
		{&types.LicenseExpired{}, backends.Exhausted, "licence"},
		{&types.VMotionNotLicensed{}, backends.Exhausted, "licence"},
		{&types.RestrictedVersion{}, backends.Unsupported, "read-only"},
		{&types.TooManyDevices{}, backends.Exhausted, "devices"},
		{&types.TooManySnapshotLevels{}, backends.Exhausted, "snapshots"},
		{&types.NotEnoughCpus{NumCpuDest: 4, NumCpuVm: 8}, backends.Exhausted, "4 processors"},
		{
			&types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: types.VirtualMachinePowerStatePoweredOn},
			backends.Precondition, "it is running, and must be powered off for this",
		},
		{&types.InvalidState{}, backends.Precondition, "state"},
		{&types.InvalidVmState{Vm: vm}, backends.Precondition, "VM vm-1"},
		{&types.QuestionPending{Text: "copied or moved?"}, backends.Precondition, "copied or moved?"},
		{&types.MethodDisabled{Source: "backup"}, backends.Precondition, "backup"},
		{&types.ToolsUnavailable{}, backends.Precondition, "VMware Tools"},
		{&types.InaccessibleDatastore{InvalidDatastore: types.InvalidDatastore{Name: "nfs"}}, backends.Precondition, "nfs"},
		{&types.CannotAccessFile{FileFault: file}, backends.Precondition, "[a] b.vmdk"},
		{&types.CpuHotPlugNotSupported{}, backends.Precondition, "CPUs"},
		{&types.MemoryHotPlugNotSupported{}, backends.Precondition, "memory"},
		{&types.DeviceHotPlugNotSupported{InvalidDeviceSpec: spec(3)}, backends.Precondition, "device 3"},
		{&types.LinuxVolumeNotClean{}, backends.Precondition, "not clean"},
		{&types.FilesystemQuiesceFault{}, backends.Precondition, "quiesce"},
		{&types.CannotAccessNetwork{CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "eth", Backing: "lan"}}, backends.Precondition, `"lan"`},
		{&types.VMotionNotConfigured{}, backends.Precondition, "vMotion"},
		{&types.GuestOperationsUnavailable{}, backends.Precondition, "VMware Tools"},
		{&types.InvalidArgument{InvalidProperty: "spec.memoryMB"}, backends.Invalid, "spec.memoryMB"},
		{&types.InvalidName{Name: "a/b"}, backends.Invalid, `"a/b"`},
		{&types.OutOfBounds{ArgumentName: "count"}, backends.Invalid, "count"},
		{&types.InvalidDatastore{Name: "ds"}, backends.Invalid, `"ds"`},
		{&types.InvalidDatastorePath{DatastorePath: "x"}, backends.Invalid, `"x"`},
		{&[]types.InvalidDeviceSpec{spec(2)}[0], backends.Invalid, "device 2 of the specification is refused because of virtualDeviceSpec.device"},
		{&types.InvalidController{InvalidDeviceSpec: spec(1), ControllerKey: 1000}, backends.Invalid, "1000"},
		{&types.InvalidDeviceBacking{InvalidDeviceSpec: spec(1)}, backends.Invalid, "backing"},
		{&types.InvalidVmConfig{Property: "firmware"}, backends.Invalid, "firmware"},
		{&types.GenericVmConfigFault{Reason: "no such thing"}, backends.Invalid, "no such thing"},
		{&types.VmConfigFault{}, backends.Invalid, "configured"},
		{&types.UnsupportedGuest{UnsupportedGuestOS: "os9"}, backends.Invalid, "os9"},
		{&types.MemorySizeNotSupported{MemorySizeMB: 3, MinMemorySizeMB: 4, MaxMemorySizeMB: 9}, backends.Invalid, "3 MiB"},
		{&types.NicSettingMismatch{NumberOfNicsInSpec: 2, NumberOfNicsInVM: 1}, backends.Invalid, "2 network adapters, the VM has 1"},
		{&types.UncustomizableGuest{UncustomizableGuestOS: "dos"}, backends.Invalid, "dos"},
		{&types.CustomizationFault{}, backends.Invalid, "customized"},
		{&types.DatacenterMismatch{}, backends.Invalid, "datacenters"},
		{&types.NotSupported{}, backends.Unsupported, "support"},
		{&types.NotImplemented{}, backends.Unsupported, "support"},
		{&types.MethodNotFound{Method: "Fly"}, backends.Unsupported, "Fly"},
		{&types.VirtualHardwareVersionNotSupported{HostName: "h"}, backends.Unsupported, "hardware version"},
		{&types.DeviceNotSupported{Device: "GPU"}, backends.Unsupported, "GPU"},
		{&types.SnapshotCloneNotSupported{}, backends.Unsupported, ""},
		{&types.HostCommunication{}, backends.Transient, "host"},
		{&types.HostNotConnected{}, backends.Transient, "host"},
		{&types.DatabaseError{}, backends.Transient, "database"},
		{&types.SystemError{Reason: "Network connection failed: x, connection reset"}, backends.Transient, "reset"},
		{&types.SystemError{Reason: "Operation timed out"}, backends.Transient, "timed out"},
		{&types.SystemError{Reason: "vim.fault.Odd"}, backends.Internal, "Odd"},
		{&types.RequestCanceled{}, backends.Canceled, "cancelled"},
		{&types.Timedout{}, backends.Timeout, ""},
		{&types.InvalidProperty{Name: "nam"}, backends.Internal, "nam"},
		{&types.WipeDiskFault{}, backends.Internal, "wipe disk fault"},
	} {
		name := fmt.Sprintf("%T", test.fault)
		for _, err := range []error{soapFault(test.fault, "It failed."), taskFault(test.fault, "It failed."), soap.WrapVimFault(test.fault), fmt.Errorf("more: %w", taskFault(test.fault, ""))} {
			got := Wrap(err, "create", `folder "x"`)
			if backends.CodeOf(got) != test.code {
				t.Errorf("%s: %s, want %s: %v", name, backends.CodeOf(got), test.code, got)
			}
			if text := got.Error(); test.text != "wipe disk fault" && !strings.Contains(text, test.text) || strings.Contains(text, "ServerFaultCode") {
				t.Errorf("%s: %s", name, text)
			}
			if !errors.Is(got, err) {
				t.Errorf("%s: what vSphere answered is lost", name)
			}
		}
	}
}

func TestWhatVSphereSaysIsShown(t *testing.T) {
	for want, err := range map[string]error{
		"Unable to start VM \"web\": it is suspended (vSphere says: The attempted operation cannot be performed in the current state (Suspended))": soapFault(
			&types.InvalidPowerState{ExistingState: types.VirtualMachinePowerStateSuspended}, "The attempted operation cannot be performed in the current state (Suspended)."),
		`Unable to start VM "web": Cannot open the disk 'a.vmdk'; Module 'Disk' power on failed`: taskFault(&types.GenericVmConfigFault{
			VmConfigFault: types.VmConfigFault{VimFault: types.VimFault{MethodFault: types.MethodFault{FaultMessage: []types.LocalizableMessage{
				{Key: "msg.disk.noBackEnd", Message: "Cannot open the disk 'a.vmdk'. "}, {Key: "msg.moduletable.powerOnFailed", Message: "Module 'Disk' power on failed. "},
			}}}},
		}, "Failed to power on."),
		`Unable to start VM "web": A general system error occurred`: soapFault(nil, "A general system error occurred"),
	} {
		if got := Wrap(err, "start", `VM "web"`).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func because(outer types.MethodFault, f types.BaseMethodFault, text string) types.MethodFault {
	outer.FaultCause = &types.LocalizedMethodFault{Fault: f, LocalizedMessage: text}
	return outer
}

func TestTheFirstCauseDecides(t *testing.T) {
	var none types.MethodFault
	for name, test := range map[string]struct {
		err  error
		code backends.Code
		text string
	}{
		"full datastore": {taskFault(&types.SystemError{RuntimeFault: types.RuntimeFault{MethodFault: because(none, &types.NoDiskSpace{Datastore: "d"}, "full")}}, "failed"), backends.Exhausted, "full"},
		"cause unknown":  {taskFault(&types.InvalidState{VimFault: types.VimFault{MethodFault: because(none, &types.SystemError{}, "odd")}}, "failed"), backends.Precondition, "state"},
		"missing file":   {taskFault(&types.CannotAccessVmDisk{Fault: types.LocalizedMethodFault{Fault: &types.FileNotFound{FileFault: types.FileFault{File: "f"}}}}, "x"), backends.Precondition, `"f"`},
		"no host":        {taskFault(&types.NoCompatibleHost{Error: []types.LocalizedMethodFault{{Fault: &types.InsufficientMemoryResourcesFault{}}}}, "x"), backends.Exhausted, "reservation"},
		"lock":           {taskFault(&types.MethodFault{FaultMessage: []types.LocalizableMessage{{Key: "msg.fileio.lock", Message: "Failed to lock the file"}}}, "x"), backends.Locked, "lock"},
		"space in words": {taskFault(&types.MethodFault{}, "There is not enough space on the file system"), backends.Exhausted, "space"},
	} {
		if got := Wrap(test.err, "start", `VM "web"`); backends.CodeOf(got) != test.code || !strings.Contains(got.Error(), test.text) {
			t.Errorf("%s: %s %v", name, backends.CodeOf(got), got)
		}
	}
}

// A VM is gone only where vSphere says so of the VM.
func TestOnlyAVMThatIsGoneIsNotFound(t *testing.T) {
	for _, test := range []struct {
		fault types.BaseMethodFault
		code  backends.Code
	}{
		{&types.ManagedObjectNotFound{Obj: vm}, backends.NotFound},
		{&types.ManagedObjectNotFound{Obj: types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: "s"}}, backends.Precondition},
		{&types.ManagedObjectNotFound{Obj: host}, backends.Precondition},
		{&types.FileNotFound{}, backends.Precondition},
		{&types.NotFound{}, backends.Precondition},
	} {
		if got := Wrap(soapFault(test.fault, ""), "start", `VM "web"`); backends.CodeOf(got) != test.code {
			t.Errorf("%T: %v", test.fault, got)
		}
	}
}

func TestPrivilegesByName(t *testing.T) {
	f := &types.NoPermission{MissingPrivileges: []types.NoPermissionEntityPrivileges{
		{Entity: folder, PrivilegeIds: []string{"VirtualMachine.Inventory.Create", "VirtualMachine.Config.AddNewDisk"}},
		{Entity: host, PrivilegeIds: []string{"Host.Config.Storage"}},
	}}
	err := soapFault(f, "Permission to perform this operation was denied.")
	if refs := Denied(err); len(refs) != 2 || refs[0] != folder || refs[1] != host {
		t.Error(refs)
	}
	got := Wrap(WithNames(err, map[types.ManagedObjectReference]string{folder: "team"}), "create", `VM "web"`)
	want := `privilege VirtualMachine.Inventory.Create, VirtualMachine.Config.AddNewDisk on folder "team" and privilege Host.Config.Storage on host host-7`
	var e *backends.Error
	if !errors.As(got, &e) || !strings.Contains(got.Error(), want) || e.Remedy == "" {
		t.Error(got)
	}
	if Denied(soapFault(&types.NotAuthenticated{}, "")) != nil || WithNames(nil, nil) != nil {
		t.Error("no privilege is missing there")
	}
}

func TestNetworkErrors(t *testing.T) {
	post := func(err error) error { return &url.Error{Op: "Post", URL: "https://vc.example:8443/sdk", Err: err} }
	dial := func(err error) error { return post(&net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for name, test := range map[string]struct {
		err  error
		code backends.Code
		text string
	}{
		"refused":     {dial(syscall.ECONNREFUSED), backends.Transient, "vc.example:8443"},
		"no name":     {dial(&net.DNSError{Err: "no such host", Name: "vc.example"}), backends.Transient, "no such host"},
		"reset":       {post(syscall.ECONNRESET), backends.Transient, "reset"},
		"closed":      {post(io.EOF), backends.Transient, "EOF"},
		"broken":      {io.ErrUnexpectedEOF, backends.Transient, "EOF"},
		"starting":    {post(errors.New("503 Service Unavailable")), backends.Transient, "503"},
		"not found":   {post(errors.New("404 Not Found")), backends.NotFound, "404"},
		"interrupted": {post(context.Canceled), backends.Canceled, "interrupted"},
		"over":        {post(context.DeadlineExceeded), backends.Timeout, "over"},
		"odd":         {errors.New("odd"), backends.Internal, "odd"},
	} {
		got := Wrap(test.err, "read", `VM "web"`)
		want := test.code
		if want == backends.NotFound {
			want = backends.Precondition // the page is missing, not the VM
		}
		if backends.CodeOf(got) != want || !strings.Contains(got.Error(), test.text) || strings.Contains(got.Error(), "https://") {
			t.Errorf("%s: %s %v", name, backends.CodeOf(got), got)
		}
	}
}

func TestRESTErrors(t *testing.T) {
	const at = "GET https://vc.example/rest/com/vmware/cis/tagging/tag/id:x: "
	for text, test := range map[string]struct {
		code backends.Code
		says string
	}{
		at + "404 Not Found": {backends.NotFound, "not found"},
		at + "404 Not Found: (not_found) Tag x was not found.": {backends.NotFound, "Tag x was not found"},
		at + "401 Unauthorized":                                {backends.Auth, "unauthorized"},
		at + "403 Forbidden: (unauthorized) Permission denied": {backends.Auth, "Permission denied"},
		at + "503 Service Unavailable":                         {backends.Transient, "unavailable"},
		at + "500 Internal Server Error: (resource_busy) wait": {backends.Locked, "wait"},
		`400 Bad Request: {"type":"com.vmware.vapi.std.errors.already_exists","value":{"messages":[{"default_message":"A tag t exists.","id":"x"}]}}`:        {backends.Conflict, "A tag t exists"},
		`400 Bad Request: {"error_type":"UNABLE_TO_ALLOCATE_RESOURCE","messages":[{"default_message":"no room"},{"default_message":"on d"}]}`:                {backends.Exhausted, "no room; on d"},
		`400 Bad Request: {"type":"com.vmware.vapi.std.errors.not_allowed_in_current_state","value":{"error_type":"X","messages":[{"default_message":"a"}]}`: {backends.Invalid, "not_allowed"},
		"400 Bad Request: <html>": {backends.Invalid, "bad request"},
	} {
		got := Wrap(errors.New(text), "read", "tag")
		if backends.CodeOf(got) != test.code || !strings.Contains(got.Error(), test.says) || strings.Contains(got.Error(), "https://") {
			t.Errorf("%s:\n%s %v", text, backends.CodeOf(got), got)
		}
	}
}

func TestWrapKeepsWhatIsKnown(t *testing.T) {
	if Wrap(nil, "a", "b") != nil || OfTask(&types.TaskInfo{}) != nil || Code(nil) != "" {
		t.Error("nothing is an error")
	}
	known := backends.Errorf(backends.Locked, "", "", "held").Advise("wait")
	var e *backends.Error
	if got := Wrap(fmt.Errorf("x: %w", known), "op", "obj"); !errors.As(got, &e) || e.Code != backends.Locked || e.Op != "op" || e.Remedy != "wait" {
		t.Error(got)
	}
}
