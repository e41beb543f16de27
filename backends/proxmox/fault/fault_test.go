package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// recorded is a refusal that the real API answered with, or the end of a task of its, and what it means.
type recorded struct {
	Method, Path, Reason, Message string
	Status                        int
	Errors                        map[string]string

	Task, Exit string

	Code backends.Code
	Kind string
}

func (r *recorded) err() error {
	if r.Exit != "" {
		return &Failure{Kind: r.Task, Exit: r.Exit}
	}
	return &Refusal{Method: r.Method, Path: r.Path, Status: r.Status, Reason: r.Reason, Message: r.Message, Params: r.Errors, Who: "tf@pve!t"}
}

func records(t *testing.T) []recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 250 {
		t.Fatalf("%d records", len(all))
	}
	return all
}

// lvmLock is spelled as lvm2 spells it.
const lvmLock = "can't a" + "quire lock '/run/lock/lvm/V_pve' - Resource temporarily unavailable"

func TestRecordedRefusals(t *testing.T) {
	for _, r := range records(t) {
		err := Wrap(r.err(), "", "")
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != r.Code || kindOf(err) != r.Kind {
			t.Errorf("%s %s%s: %q (%s)\n  is %q of kind %q, want %q of kind %q", r.Method, r.Path, r.Task, r.Reason+r.Exit, fmt.Sprint(r.Errors), backends.CodeOf(err), kindOf(err), r.Code, r.Kind)
			continue
		}
		text := e.Err.Error()
		if text == "" || strings.ContainsAny(text, "\n") || strings.Contains(text, "/usr/share/perl5") || strings.Contains(text, "format error") {
			t.Errorf("%q is no text for people", text)
		}
		if e.Code == backends.Auth && e.Remedy == "" {
			t.Errorf("%q has no remedy", text)
		}
	}
}

// What takes a VM out of the state is that the VM does not exist, and nothing else.
func TestOnlyAMissingVMIsOne(t *testing.T) {
	n := 0
	for _, r := range records(t) {
		err := Wrap(r.err(), "read", `VM "web"`)
		gone := errors.Is(err, backends.ErrNotFound)
		says := r.Kind == "VM" && r.Code == backends.NotFound || r.Kind == "task"
		if gone != says {
			t.Errorf("%s: %v", r.Reason+r.Exit, err)
		}
		if gone {
			n++
		}
	}
	if n < 5 {
		t.Errorf("%d texts say that a VM does not exist", n)
	}
}

// What the recordings do not hold: texts of qemu-server, pve-storage, pve-cluster and pve-guest-common.
func TestOtherTexts(t *testing.T) {
	for text, want := range map[string]backends.Code{
		"cluster not ready - no quorum?":                                                            backends.Transient,
		"error during cfs-locked 'storage-nfs' operation: no quorum!":                               backends.Transient,
		"unable to open file '/etc/pve/nodes/pve1/qemu-server/100.conf.tmp.12' - Permission denied": backends.Transient,
		"ipcc_send_rec[1] failed: Connection refused":                                               backends.Transient,
		"Unable to load access control list: Connection refused":                                    backends.Transient,
		"got no worker upid - start worker failed":                                                  backends.Transient,
		"unexpected status": backends.Transient,
		"invalid server response: '500 Can't connect to example.com:443 (Connection refused)'": backends.Transient,
		"invalid server response: '404 Not Found'":                                             backends.Invalid,
		"cfs-lock 'file-user_cfg' error: got lock request timeout":                             backends.Locked,
		"error during cfs-locked 'storage-local-lvm' operation: got lock request timeout":      backends.Locked,
		lvmLock:                 backends.Locked,
		"CT is locked (backup)": backends.Locked,
		"can't remove VM 100 - protection mode enabled":                                                                            backends.Precondition,
		"you can't start a vm if it's a template":                                                                                  backends.Precondition,
		"can't migrate running VM without --online":                                                                                backends.Precondition,
		"can't migrate VM which uses local devices: hostpci0":                                                                      backends.Precondition,
		"storage 'nfs' is not online":                                                                                              backends.Precondition,
		"storage 'local-lvm' is not available on node 'pve2'":                                                                      backends.Precondition,
		"storage 'local' does not support content-type 'images'":                                                                   backends.Precondition,
		"VM 100 qmp command 'block_resize' failed - Cannot grow device files":                                                      backends.Precondition,
		"VM 100 qmp command 'guest-ping' failed - got timeout":                                                                     backends.Timeout,
		"unable to create VM 100: VM 100 already exists on node 'pve1'":                                                            backends.Conflict,
		"CT 100 already exists on node 'pve1'":                                                                                     backends.Conflict,
		"lvcreate 'pve/vm-100-disk-0' error:   Volume group \"pve\" has insufficient free space (0 extents): 256 required.":        backends.Exhausted,
		"lvcreate 'pve/vm-100-disk-0' error:   Cannot create new thin volume, free space in thin pool pve/data reached threshold.": backends.Exhausted,
		"zfs error: cannot create 'rpool/data/vm-100-disk-0': out of space":                                                        backends.Exhausted,
		"qemu-img: error while writing at byte 2145386496: No space left on device":                                                backends.Exhausted,
		"MAX 4 vcpus allowed per VM on this node":                                                                                  backends.Exhausted,
		"kvm: cannot set up guest memory 'pc.ram': Cannot allocate memory":                                                         backends.Exhausted,
		"bridge 'vmbr9' does not exist":                                                                                            backends.NotFound,
		"PCI device mapping not found for 'gpu'":                                                                                   backends.NotFound,
		"clone failed: received interrupt":                                                                                         backends.Canceled,
		"command '/usr/bin/qemu-img convert' failed: interrupted by signal":                                                        backends.Canceled,
		"a text that nobody has seen":                                                                                              backends.Internal,
	} {
		for _, err := range []error{&Refusal{Method: "POST", Path: "/nodes/pve1/qemu", Status: 500, Reason: text}, &Failure{Exit: text}} {
			if got := backends.CodeOf(Wrap(err, "", "")); got != want {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
	}
}

func TestSentinels(t *testing.T) {
	digest := Wrap(&Refusal{Status: 500, Reason: "checksum mismatch (file change by other user?)"}, "update", `VM "web"`)
	if !errors.Is(digest, ErrDigest) || !errors.Is(digest, backends.ErrConflict) || errors.Is(digest, ErrTaken) {
		t.Error(digest)
	}
	taken := Wrap(&Failure{Exit: "unable to create VM 112 - VM 112 already exists on node 'pve1'"}, "create", `VM "web"`)
	if !errors.Is(taken, ErrTaken) || errors.Is(taken, ErrDigest) {
		t.Error(taken)
	}
	// The VMID is free here; a volume is in the way, and another VMID would leave it there.
	volume := Wrap(&Failure{Exit: "unable to create VM 112 - disk image '/var/lib/vz/images/112/vm-112-cloudinit.qcow2' already exists"}, "create", `VM "web"`)
	if errors.Is(volume, ErrTaken) || !errors.Is(volume, backends.ErrConflict) {
		t.Error(volume)
	}
}

func TestDenialNamesPrivilegePathAndCommand(t *testing.T) {
	for _, c := range []struct {
		who, reason string
		words       []string
	}{
		{"root@pam!tf", "Permission check failed (/vms/100, VM.PowerMgmt)", []string{"root@pam!tf lacks", "VM.PowerMgmt", "/vms/100", "pveum acl modify /vms/100 --roles PVEVMAdmin --tokens 'root@pam!tf'", "privilege separation"}},
		{"tf@pve", "Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)", []string{"Datastore.Audit or Datastore.AllocateSpace", "pveum acl modify /storage/local --roles PVEDatastoreUser --users tf@pve"}},
		{"tf@pve", "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)", []string{"--roles PVESDNUser"}},
		{"tf@pve", "Permission check failed (/, Sys.Modify)", []string{"pveum role add Terraform --privs Sys.Modify", "pveum acl modify / --roles Terraform --users tf@pve"}},
		{"tf@pve", "Permission check failed", []string{"VM.Allocate on /vms"}},
	} {
		err := Wrap(&Refusal{Method: "POST", Path: "/nodes/pve1/qemu", Status: 403, Reason: c.reason, Who: c.who}, "create", `VM "web"`)
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != backends.Auth {
			t.Errorf("%v", err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(e.Error()+"\n"+e.Remedy, w) {
				t.Errorf("%q is not in %s\n%s", w, e, e.Remedy)
			}
		}
	}
}

func TestBlame(t *testing.T) {
	at := func(param string) backends.Path {
		return map[string]backends.Path{"net0.tag": `nics["lan"].vlan`, "net0": `nics["lan"]`, "cores": "cpu.cores"}[param]
	}
	for text, want := range map[string]backends.Path{
		"net0:invalid format - format error\nnet0.tag: value must have a maximum value of 4094\n":      `nics["lan"].vlan`,
		"net0:invalid format - format error\nnet0.model: property is missing and it is not optional\n": `nics["lan"]`,
		"cores:value must have a minimum value of 1":                                                   "cpu.cores",
		"other:property is not defined in schema and the schema does not allow additional properties":  "",
		"net0:hotplug problem - error on hot-unplugging device 'net0'\n":                               `nics["lan"]`,
	} {
		name, said, _ := strings.Cut(text, ":")
		r := &Refusal{Method: "PUT", Path: "/nodes/pve1/qemu/1/config", Status: 400, Reason: "Parameter verification failed.", Params: map[string]string{name: said}}
		err := Blame(Wrap(r, "update", `VM "web"`), at)
		var e *backends.Error
		if !errors.As(err, &e) || e.Path != want {
			t.Errorf("%q: %q, want %q", text, e.Path, want)
		}
	}
	if Blame(nil, at) != nil {
		t.Error("nil is no error")
	}
}

func TestTaskSaysWhatItsLogSays(t *testing.T) {
	err := Wrap(&Failure{Exit: "start failed: QEMU exited with code 1", Log: []string{"bridge 'vmbr9' does not exist", "kvm: network script /var/lib/qemu-server/pve-bridge failed with status 512", "TASK ERROR: start failed: QEMU exited with code 1"}}, "start", `VM "web"`)
	if backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), "bridge 'vmbr9' does not exist") || strings.Contains(err.Error(), "TASK ERROR") {
		t.Error(err)
	}
	full := Wrap(&Failure{Exit: "command 'qemu-img convert' failed: exit code 1", Log: []string{"create full clone", "qemu-img: error while writing: No space left on device"}}, "clone", `VM "web"`)
	if backends.CodeOf(full) != backends.Exhausted || !strings.Contains(full.Error(), "No space left") {
		t.Error(full)
	}
	plain := Wrap(&Failure{Exit: "VM 100 already running", Log: []string{"something else"}}, "start", `VM "web"`)
	if strings.Contains(plain.Error(), "something else") {
		t.Error(plain)
	}
}

func TestWrap(t *testing.T) {
	if Wrap(nil, "", "") != nil {
		t.Error("nil is no error")
	}
	for cause, want := range map[error]backends.Code{
		context.Canceled: backends.Canceled, fmt.Errorf("x: %w", context.DeadlineExceeded): backends.Timeout, errors.New("x"): backends.Internal,
	} {
		if got := backends.CodeOf(Wrap(cause, "read", "X")); got != want {
			t.Errorf("%v: %s", cause, got)
		}
	}
	// Twice is once.
	inner := Wrap(&Refusal{Status: 500, Reason: "snapshot 's1' does not exist"}, "", "")
	if err := Wrap(inner, "delete", `snapshot "s1" of VM "web"`); !errors.Is(err, backends.ErrNotFound) || err.Error() != `Unable to delete snapshot "s1" of VM "web": snapshot 's1' does not exist` {
		t.Error(err)
	}
	if err := Wrap(inner, "revert", `VM "web"`); !errors.Is(err, backends.ErrPrecondition) {
		t.Error(err)
	}
}

// FuzzRefusal: whatever is answered, there is an error with a code and a text.
func FuzzRefusal(f *testing.F) {
	f.Add(500, "POST", "/nodes/a/qemu", "VM is locked (backup)", "", "net0", "x")
	f.Add(403, "POST", "/clone", "Permission check failed (/, )", "", "", "")
	f.Add(400, "PUT", "", "", "\n", "a", "invalid format - format error\n\n.: \n")
	f.Fuzz(func(t *testing.T, status int, method, path, reason, message, param, text string) {
		r := &Refusal{Status: status, Method: method, Path: path, Reason: reason, Message: message}
		if param != "" {
			r.Params = map[string]string{param: text}
		}
		for _, err := range []error{r, &Failure{Exit: reason, Log: []string{message, text}}} {
			e, ok := Wrap(err, "", "").(*backends.Error)
			if !ok || e.Code == "" {
				t.Fatalf("%#v: %v", err, e)
			}
			_ = e.Error() + e.Remedy
			_ = Blame(e, func(string) backends.Path { return "" })
		}
	})
}
