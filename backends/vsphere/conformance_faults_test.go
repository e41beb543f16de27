package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// faults makes calls of the seam fail as vSphere lets them fail: the first change that a method makes is refused.
type faults struct {
	t      *testing.T
	server *vcsim.Server
}

// changes are the methods of the API by which those of the seam change a VM first. That of a VM that runs is deleted by
// being stopped.
var changes = map[string]string{"CreateVM": "CreateVM_Task", "SetPower": "PowerOnVM_Task", "DeleteVM": "PowerOffVM_Task"}

// pretended is the task that is said to hold a VM where that was asked for.
var pretended = types.ManagedObjectReference{Type: "Task", Value: "task-pretended"}

// patient waits for objects that are busy, and hides no fault that was asked for.
func patient(b backends.Backend) backends.Backend {
	return middleware.Around(b, func(ctx context.Context, _ middleware.Call, next func(context.Context) error) error {
		for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			err := next(ctx)
			var busy *types.TaskInProgress
			if _, is := fault.As(err, &busy); backends.CodeOf(err) != backends.Locked || is && busy.Task == pretended {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
			}
		}
	})
}

// reads is how often the driver makes a read whose connection breaks.
const reads = 4

func (f *faults) Fail(method, vm string, code backends.Code, n int) {
	f.t.Helper()
	if method == "GetVMs" {
		if code == backends.Transient {
			f.server.Drop("RetrievePropertiesEx", vm, n*reads)
			return
		}
		f.server.Fail("RetrievePropertiesEx", vm, f.fault(code), n)
		return
	}
	call, ok := changes[method]
	switch {
	case !ok:
		f.t.Fatalf("nobody knows how vSphere refuses %s", method)
	case code == backends.Transient:
		f.server.Drop(call, vm, n)
	case code == backends.Auth: // is looked at before a task begins
		f.server.Fail(call, vm, f.fault(code), n)
	default:
		f.server.FailTask(call, vm, f.fault(code), n)
	}
}

// fault is one that vSphere has for a code.
func (f *faults) fault(code backends.Code) types.BaseMethodFault {
	f.t.Helper()
	switch code {
	case backends.Locked:
		return &types.TaskInProgress{Task: pretended}
	case backends.Auth:
		return &types.NoPermission{PrivilegeId: "VirtualMachine.Interact.PowerOn"}
	case backends.Exhausted:
		return &types.InsufficientMemoryResourcesFault{Unreserved: 1 << 20, Requested: 1 << 30}
	case backends.Internal:
		return &types.SystemError{Reason: "vpxd stumbled"}
	default:
		f.t.Fatalf("nobody knows how vSphere tells %s", code)
		return nil
	}
}
