package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Classify gives an error that a libvirt call, or the way to libvirtd, ended with its code
// and, where one is known, a remedy. libvirt's own words stay the cause. An error that has a
// code keeps it. Operation and object are for backends.Wrap. Classify(nil) is nil.
//
// NotFound is about whatever was looked up: reading a VM whose network is gone must
// not pass for a VM that is gone.
func Classify(err error) *backends.Error {
	if err == nil {
		return nil
	}
	var done *backends.Error
	if errors.As(err, &done) {
		return done
	}
	e := &backends.Error{Code: backends.Internal, Err: err}
	var answer libvirt.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = backends.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = backends.Timeout
	case errors.As(err, &answer):
		e.Code, e.Remedy = classifyAnswer(answer)
	case errors.Is(err, libvirt.ErrUnsupported):
		e.Code = backends.Unsupported
		e.Err = errors.New("this libvirtd does not know the call")
		e.Remedy = "A newer libvirt has it."
	case errors.Is(err, fs.ErrPermission):
		e.Code = backends.Auth
	case isConnectionLoss(err), isUnreachable(err):
		e.Code = backends.Transient
	}
	return e
}

// classified is Classify for a return value: nil stays a nil error.
func classified(err error) error {
	if err == nil {
		return nil
	}
	return Classify(err)
}

// lostError is a connection that broke while a call was under way.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	return fmt.Sprintf("the connection to libvirtd broke before it answered: %s", e.cause)
}

func (e *lostError) Unwrap() error { return e.cause }

// isConnectionLoss reports whether err says that the connection is gone, rather than
// that libvirtd answered with an error.
func isConnectionLoss(err error) bool {
	var answer libvirt.Error
	if errors.As(err, &answer) {
		return false
	}
	var lost *lostError
	var op *net.OpError
	return errors.As(err, &lost) ||
		errors.As(err, &op) ||
		errors.Is(err, libvirt.ErrInterrupted) ||
		errors.Is(err, syscall.EINVAL) || // go-libvirt's word for a socket that is closed
		errors.Is(err, net.ErrClosed)
}

// isUnreachable reports whether the operating system found no way to libvirtd.
func isUnreachable(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) ||
		errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) // it hung up
}

// numbers gives the codes of libvirt's error numbers. Those that are missing say
// nothing by themselves: then the text decides.
var numbers = map[libvirt.ErrorNumber]backends.Code{
	libvirt.ErrNoDomain:           backends.NotFound,
	libvirt.ErrNoNetwork:          backends.NotFound,
	libvirt.ErrNoStoragePool:      backends.NotFound,
	libvirt.ErrNoStorageVol:       backends.NotFound,
	libvirt.ErrNoNodeDevice:       backends.NotFound,
	libvirt.ErrNoInterface:        backends.NotFound,
	libvirt.ErrNoNwfilter:         backends.NotFound,
	libvirt.ErrNoNwfilterBinding:  backends.NotFound,
	libvirt.ErrNoSecret:           backends.NotFound,
	libvirt.ErrNoDomainSnapshot:   backends.NotFound,
	libvirt.ErrNoDomainCheckpoint: backends.NotFound,
	libvirt.ErrNoDomainMetadata:   backends.NotFound,
	libvirt.ErrNoNetworkMetadata:  backends.NotFound,
	libvirt.ErrNoDomainBackup:     backends.NotFound,
	libvirt.ErrNoNetworkPort:      backends.NotFound,
	libvirt.ErrDeviceMissing:      backends.NotFound,

	libvirt.ErrDomExist:           backends.Conflict,
	libvirt.ErrNetworkExist:       backends.Conflict,
	libvirt.ErrNetworkPortExist:   backends.Conflict,
	libvirt.ErrStorageVolExist:    backends.Conflict,
	libvirt.ErrStoragePoolBuilt:   backends.Conflict,
	libvirt.ErrMultipleDomains:    backends.Conflict,
	libvirt.ErrMultipleInterfaces: backends.Conflict,

	libvirt.ErrResourceBusy:    backends.Locked,
	libvirt.ErrBlockCopyActive: backends.Locked,

	libvirt.ErrOperationTimeout:    backends.Timeout,
	libvirt.ErrAgentCommandTimeout: backends.Timeout,
	libvirt.ErrOperationAborted:    backends.Canceled,

	libvirt.ErrOperationInvalid:       backends.Precondition,
	libvirt.ErrOperationFailed:        backends.Precondition,
	libvirt.ErrAgentUnresponsive:      backends.Precondition,
	libvirt.ErrAgentCommandFailed:     backends.Precondition,
	libvirt.ErrAgentUnsynced:          backends.Transient,
	libvirt.ErrSnapshotRevertRisky:    backends.Precondition,
	libvirt.ErrMigrateUnsafe:          backends.Precondition,
	libvirt.ErrCPUIncompatible:        backends.Precondition,
	libvirt.ErrHookScriptFailed:       backends.Precondition,
	libvirt.ErrCheckpointInconsistent: backends.Precondition,
	libvirt.ErrNoConnect:              backends.Precondition,

	libvirt.ErrNoSupport:            backends.Unsupported,
	libvirt.ErrOperationUnsupported: backends.Unsupported,
	libvirt.ErrArgumentUnsupported:  backends.Unsupported,

	libvirt.ErrAuthFailed:      backends.Auth,
	libvirt.ErrAuthCancelled:   backends.Auth,
	libvirt.ErrAuthUnavailable: backends.Auth,
	libvirt.ErrOperationDenied: backends.Auth,
	libvirt.ErrAccessDenied:    backends.Auth,

	libvirt.ErrInvalidArg:              backends.Invalid,
	libvirt.ErrXMLError:                backends.Invalid,
	libvirt.ErrXMLDetail:               backends.Invalid,
	libvirt.ErrXMLInvalidSchema:        backends.Invalid,
	libvirt.ErrConfSyntax:              backends.Invalid,
	libvirt.ErrConfigUnsupported:       backends.Invalid,
	libvirt.ErrParseFailed:             backends.Invalid,
	libvirt.ErrInvalidMac:              backends.Invalid,
	libvirt.ErrInvalidNetwork:          backends.Invalid,
	libvirt.ErrInvalidInterface:        backends.Invalid,
	libvirt.ErrInvalidDomainSnapshot:   backends.Invalid,
	libvirt.ErrInvalidStoragePool:      backends.Invalid,
	libvirt.ErrInvalidStorageVol:       backends.Invalid,
	libvirt.ErrStorageProbeFailed:      backends.Invalid,
	libvirt.ErrUnknownHost:             backends.Invalid,
	libvirt.ErrOsType:                  backends.Invalid,
	libvirt.ErrNoOs:                    backends.Invalid,
	libvirt.ErrNoName:                  backends.Invalid,
	libvirt.ErrNoSource:                backends.Invalid,
	libvirt.ErrNoTarget:                backends.Invalid,
	libvirt.ErrNoDevice:                backends.Invalid,
	libvirt.ErrOverflow:                backends.Invalid,
	libvirt.ErrNoMemory:                backends.Exhausted,
	libvirt.ErrDriverFull:              backends.Exhausted,
	libvirt.ErrRPC:                     backends.Transient,
	libvirt.ErrNoServer:                backends.Transient,
	libvirt.ErrNoClient:                backends.Transient,
	libvirt.ErrInvalidDomainCheckpoint: backends.Invalid,
}

const (
	spiceTLS = "Set spice_tls = 1 in /etc/libvirt/qemu.conf on the host, which needs a certificate for that, or leave console.tls unset."
	noKVM    = "KVM does not work on the host: load kvm_intel or kvm_amd there, or set libvirt.domain_type to qemu, which emulates in software."
	noQEMU   = "QEMU could not start. Its log on the host, /var/log/libvirt/qemu/NAME.log, says more."
)

// texts decide where the number does not: libvirt passes on what QEMU, qemu-img and the
// kernel said under a few general numbers. The first match counts.
var texts = []struct {
	part   string
	code   backends.Code
	remedy string
}{
	{"cannot acquire state change lock", backends.Locked, "Another operation holds the VM."},
	{"asynchronous jobs running", backends.Locked, "Another operation uses the storage pool."},
	{"is still being allocated", backends.Locked, "Another operation writes the volume."},
	{"is still in use", backends.Locked, "Another operation uses the volume."},
	{"another migration job is already running", backends.Locked, ""},
	{"No space left on device", backends.Exhausted, "Free space on the storage, or choose another one."},
	{"Disk quota exceeded", backends.Exhausted, "Raise the quota, or choose another storage."},
	{"not enough free space", backends.Exhausted, "Free space on the storage, or choose another one."},
	{"File too large", backends.Invalid, "The storage cannot hold a file of that size."},
	{"Cannot allocate memory", backends.Exhausted, "The host has not enough free memory."},
	{"cannot set up guest memory", backends.Exhausted, "The host has not enough free memory."},
	{"out of memory", backends.Exhausted, "The host has not enough free memory."},
	{"Failed to get \"write\" lock", backends.Precondition, "A disk is in use by another VM or program."},
	{"Failed to get shared \"write\" lock", backends.Precondition, "A disk is in use by another VM or program."},
	{"cannot limit locked memory", backends.Precondition, "libvirtd may not raise limits on the host: it lacks the capability CAP_SYS_RESOURCE, without which VMs cannot have a memory.limit_mib."},
	{"guest CPU doesn't match specification", backends.Precondition, "The host's processor cannot give the guest all of that: choose another cpu.model, or leave out nested_virtualization."},
	{"TLS is disabled in qemu.conf", backends.Precondition, spiceTLS},
	{"TLS connection is not available", backends.Precondition, spiceTLS},
	{"qdisc kind is unknown", backends.Precondition, "The host's kernel cannot limit networks: it lacks the modules sch_htb, sch_sfq, sch_ingress or act_police."},
	{"Cannot get interface MTU", backends.Precondition, "The bridge or device that the VM is connected to does not exist on the host."},
	{"Unable to get index for interface", backends.Precondition, "The device that the VM is connected to does not exist on the host."},
	{"is not active", backends.Precondition, "Start it on the host, a network with: virsh net-start NAME."},
	{"Failed to reserve port", backends.Conflict, "Another VM or program on the host has the port: choose another console.port, or 0 for libvirt's choice."},
	{"Cannot assign requested address", backends.Precondition, "The VM is to listen on an address that the host does not have: see console.address."},
	{"not in qcow2 format", backends.Precondition, "The content of a disk is damaged, or of another format."},
	{"Image is corrupt", backends.Precondition, "The content of a disk is damaged; qemu-img check tells how."},
	{"hugetlbfs filesystem is not mounted", backends.Precondition, "The VM was set up to use huge pages, which the host has none of."},
	{"does not support virt type 'kvm'", backends.Precondition, noKVM},
	{"Could not access KVM kernel module", backends.Precondition, noKVM},
	{"failed to initialize kvm", backends.Precondition, noKVM},
	{"Unknown CPU model", backends.Invalid, "Choose another cpu.model."},
	{"Maximum CPUs greater than", backends.Invalid, "Give the VM fewer processors: see cpu.max_cores."},
	{"cpuset.cpus", backends.Precondition, "The VM is bound to processors that the host does not have: see cpu.affinity."},
	{"No more available PCI slots", backends.Exhausted, "The running VM has no free slot for another device. Stop and start it, which makes room for more, or apply the change with a restart."},
	{"Unable to find any firmware", backends.Unsupported, "Install the UEFI firmware (package ovmf or edk2-ovmf) on the host."},
	{"Unable to find any master var store", backends.Unsupported, "Install the UEFI firmware (package ovmf or edk2-ovmf) on the host."},
	{"Permission denied", backends.Precondition, "The user that QEMU runs as on the host cannot use the file."},
	{"already exists", backends.Conflict, ""},
	{"already in use", backends.Conflict, ""},
	{"Network not found", backends.NotFound, ""},
	{"no network with matching name", backends.NotFound, ""},
	{"Connection refused", backends.Transient, ""},
	{"Connection reset by peer", backends.Transient, ""},
	{"Connection timed out", backends.Transient, ""},
	{"Broken pipe", backends.Transient, ""},
	{"unable to connect to server", backends.Transient, ""},
	{"client socket is closed", backends.Transient, ""},
	{"End of file while reading data", backends.Transient, ""},
	{"No such file or directory", backends.Precondition, "A file that the VM or the storage needs is missing on the host."},
	{"unexpectedly closed the monitor", backends.Precondition, noQEMU},
	{"exited while connecting to monitor", backends.Precondition, noQEMU},
	{"exited prior to exec", backends.Precondition, noQEMU},
	{"unable to execute QEMU command", backends.Precondition, "QEMU refuses it; its log on the host, /var/log/libvirt/qemu/NAME.log, may say more."},
}

// general are the numbers under which libvirt passes on somebody else's words.
var general = map[libvirt.ErrorNumber]bool{
	libvirt.ErrInternalError:    true,
	libvirt.ErrOperationFailed:  true,
	libvirt.ErrSystemError:      true,
	libvirt.ErrOperationTimeout: true,
	libvirt.ErrOperationInvalid: true,

	libvirt.ErrConfigUnsupported: true,
	libvirt.ErrOpenFailed:        true,
	libvirt.ErrReadFailed:        true,
	libvirt.ErrWriteFailed:       true,
	libvirt.ErrCallFailed:        true,
	libvirt.ErrRPC:               true,
}

var remedies = map[libvirt.ErrorNumber]string{
	libvirt.ErrAgentUnresponsive: "Install and start the QEMU guest agent in the VM, or wait until it has booted.",
	libvirt.ErrAuthFailed:        "Check that libvirtd lets this user in: for a socket the group libvirt or polkit, for TLS the client certificate.",
	libvirt.ErrAuthUnavailable:   "libvirtd asks for a polkit agent; join the group libvirt instead.",
	libvirt.ErrOperationDenied:   "Connect with write access.",
	libvirt.ErrAccessDenied:      "The access rules of libvirtd (polkit) deny it.",
	libvirt.ErrNoConnect:         "Install libvirt's QEMU driver on the host.",
}

func classifyAnswer(e libvirt.Error) (backends.Code, string) {
	n := libvirt.ErrorNumber(e.Code) //nolint:gosec // libvirt's own number
	code, known := numbers[n]
	if general[n] || !known {
		for _, t := range texts {
			if strings.Contains(e.Message, t.part) {
				return t.code, t.remedy
			}
		}
	}
	if !known {
		return backends.Internal, ""
	}
	return code, remedies[n]
}
