package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestClassifyAnswers(t *testing.T) {
	// Numbers and texts as libvirt 9 gives them.
	for _, c := range []struct {
		number libvirt.ErrorNumber
		text   string
		code   backends.Code
	}{
		{libvirt.ErrNoDomain, "Domain not found: no domain with matching name 'web'", backends.NotFound},
		{libvirt.ErrNoStorageVol, "Storage volume not found: no storage vol with matching name 'a'", backends.NotFound},
		{libvirt.ErrNoStoragePool, "Storage pool not found: no storage pool with matching name 'fast'", backends.NotFound},
		{libvirt.ErrNoNetwork, "Network not found: no network with matching name 'lan'", backends.NotFound},
		{libvirt.ErrNoDomainSnapshot, "Domain snapshot not found: no domain snapshot with matching name 'a'", backends.NotFound},
		{libvirt.ErrNoSecret, "Secret not found", backends.NotFound},
		{libvirt.ErrDeviceMissing, "device not found: no target device vdz", backends.NotFound},
		{libvirt.ErrDomExist, "domain 'web' already exists", backends.Conflict},
		{libvirt.ErrOperationFailed, "operation failed: domain 'web' already exists with uuid 7f1b", backends.Conflict},
		{libvirt.ErrStorageVolExist, "storage volume 'a' exists already", backends.Conflict},
		{libvirt.ErrInternalError, "internal error: bridge name 'virbr0' already in use.", backends.Conflict},
		{libvirt.ErrOperationTimeout, "Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainCreate)", backends.Locked},
		{libvirt.ErrOperationTimeout, "Timed out during operation: cannot acquire state change lock", backends.Locked},
		{libvirt.ErrInternalError, "internal error: pool 'default' has asynchronous jobs running.", backends.Locked},
		{libvirt.ErrOperationInvalid, "Requested operation is not valid: volume 'a' is still being allocated.", backends.Locked},
		{libvirt.ErrOperationTimeout, "Timed out during operation: waiting for the job", backends.Timeout},
		{libvirt.ErrOperationInvalid, "Requested operation is not valid: domain is not running", backends.Precondition},
		{libvirt.ErrAgentUnresponsive, "Guest agent is not responding: QEMU guest agent is not connected", backends.Precondition},
		{libvirt.ErrAgentUnsynced, "guest agent replied with wrong id to guest-sync command", backends.Transient},
		{libvirt.ErrOperationUnsupported, "Operation not supported: live disk snapshot not supported", backends.Unsupported},
		{libvirt.ErrNoSupport, "this function is not supported by the connection driver: virDomainScreenshot", backends.Unsupported},
		{libvirt.ErrArgumentUnsupported, "argument unsupported: QEMU driver does not support that", backends.Unsupported},
		{libvirt.ErrOperationFailed, "operation failed: Unable to find any firmware to satisfy 'efi'", backends.Unsupported},
		{libvirt.ErrAuthFailed, "authentication failed: access denied by policy", backends.Auth},
		{libvirt.ErrAuthUnavailable, "authentication unavailable: no polkit agent available", backends.Auth},
		{libvirt.ErrOperationDenied, "operation forbidden: read only access prevents virDomainCreate", backends.Auth},
		{libvirt.ErrXMLError, "XML error: missing domain type attribute", backends.Invalid},
		{libvirt.ErrConfigUnsupported, "unsupported configuration: unknown CPU model", backends.Invalid},
		{libvirt.ErrInvalidArg, "invalid argument: can't shrink capacity below current capacity", backends.Invalid},
		{libvirt.ErrSystemError, "cannot extend file '/p/a': No space left on device", backends.Exhausted},
		{libvirt.ErrInternalError, "internal error: qemu unexpectedly closed the monitor: cannot set up guest memory 'pc.ram': Cannot allocate memory", backends.Exhausted},
		{libvirt.ErrNoMemory, "out of memory", backends.Exhausted},
		{libvirt.ErrInternalError, `internal error: process exited while connecting to monitor: Failed to get "write" lock`, backends.Precondition},
		{libvirt.ErrInternalError, "internal error: No more available PCI slots", backends.Exhausted},
		{libvirt.ErrSystemError, "Cannot access storage file '/p/a': No such file or directory", backends.Precondition},
		{libvirt.ErrSystemError, "unable to connect to server at 'b:16509': Connection refused", backends.Transient},
		{libvirt.ErrRPC, "internal error: client socket is closed", backends.Transient},
		{libvirt.ErrInternalError, "internal error: something else", backends.Internal},

		// As libvirt 9 with QEMU 7.2 refused to start VMs.
		{libvirt.ErrInternalError, "internal error: qemu unexpectedly closed the monitor: qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory", backends.Exhausted},
		{libvirt.ErrOperationFailed, "operation failed: guest CPU doesn't match specification: missing features: vme,rdseed", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: Unknown CPU model nonesuch", backends.Invalid},
		{libvirt.ErrConfigUnsupported, "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support machine type 'pc-q35-99'", backends.Invalid},
		{libvirt.ErrConfigUnsupported, "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support virt type 'kvm'", backends.Precondition},
		{libvirt.ErrConfigUnsupported, "unsupported configuration: spice defaultMode secure requested in XML configuration, but TLS connection is not available", backends.Precondition},
		{libvirt.ErrSystemError, "Cannot get interface MTU on 'nobr': No such device", backends.Precondition},
		{libvirt.ErrSystemError, "Unable to get index for interface nodev: No such device", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: qemu unexpectedly closed the monitor: qemu-system-x86_64: -blockdev {}: Image is not in qcow2 format", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: qemu unexpectedly closed the monitor: qemu-system-x86_64: -vnc 203.0.113.7:50: Failed to bind socket: Cannot assign requested address", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: hugetlbfs filesystem is not mounted or disabled by administrator config", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: Process exited prior to exec: libvirt:  error : cannot limit locked memory of process 1 to 104857600: Operation not permitted", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: Child process (tc qdisc add dev vnet1 parent 1:1 handle 2: sfq perturb 10) unexpected exit status 2: Error: Specified qdisc kind is unknown.", backends.Precondition},
		{libvirt.ErrSystemError, "Unable to write to '/sys/fs/cgroup/cpuset/machine/qemu-25-e.libvirt-qemu/vcpu0/cpuset.cpus': Numerical result out of range", backends.Precondition},
		{libvirt.ErrInternalError, "internal error: process exited while connecting to monitor: qemu-system-x86_64: something new", backends.Precondition},
		{4711, "from the future", backends.Internal},
		{4711, "No space left on device", backends.Exhausted},
	} {
		err := fmt.Errorf("around it: %w", libvirt.Error{Code: uint32(c.number), Message: c.text})
		e := Classify(err)
		if e.Code != c.code {
			t.Errorf("%d %q is %s, want %s", c.number, c.text, e.Code, c.code)
		}
		if !strings.Contains(e.Error(), c.text) {
			t.Errorf("libvirt's words are missing from %q", e)
		}
		var answer libvirt.Error
		if !errors.As(e, &answer) || answer.Code != uint32(c.number) {
			t.Errorf("%v has lost its number", e)
		}
	}
}

func TestClassifyTheRest(t *testing.T) {
	coded := backends.Errorf(backends.Exhausted, "op", "object", "full")
	for _, c := range []struct {
		err  error
		code backends.Code
	}{
		{context.Canceled, backends.Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), backends.Timeout},
		{fmt.Errorf("x: %w", coded), backends.Exhausted},
		{libvirt.ErrInterrupted, backends.Transient},
		{libvirt.ErrUnsupported, backends.Unsupported},
		{syscall.EINVAL, backends.Transient},
		{net.ErrClosed, backends.Transient},
		{io.EOF, backends.Transient},
		{&lostError{io.EOF}, backends.Transient},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, backends.Transient},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENOENT)}, backends.Transient},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}, backends.Auth},
		{errors.New("xml: unexpected"), backends.Internal},
	} {
		if e := Classify(c.err); e.Code != c.code {
			t.Errorf("%v is %s, want %s", c.err, e.Code, c.code)
		}
	}
	if e := Classify(fmt.Errorf("x: %w", coded)); e != coded {
		t.Errorf("an error with a code was wrapped: %v", e)
	}
	if classified(nil) != nil || Classify(nil) != nil {
		t.Error("nil became an error")
	}
}
