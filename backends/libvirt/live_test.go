package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

const everything = backends.AspectConfig | backends.AspectRuntime | backends.AspectSeed

// openLab connects to a lab. The test fails if it leaves anything there.
func openLab(t *testing.T, l *libvirtlab.Lab, except ...string) *Backend {
	t.Helper()
	b, err := open(t.Context(), Config{Config: conn.Config{URI: l.URI()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		l.AssertEmpty(t, except...)
	})
	return b
}

// blank is a small VM without a system.
func blank(name string) *backends.VMSpec {
	return &backends.VMSpec{
		Name: name, Memory: backends.Memory{SizeMiB: ptr(int64(128))},
		Disks: map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1))}},
	}
}

// create makes a VM that goes with the test.
func create(t *testing.T, b *Backend, spec *backends.VMSpec) backends.ID {
	t.Helper()
	id, err := b.CreateVM(t.Context(), spec)
	if id != "" {
		t.Cleanup(func() {
			err := b.DeleteVM(context.WithoutCancel(t.Context()), id, backends.DeleteOptions{})
			if err != nil && !errors.Is(err, backends.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func get(t *testing.T, b *Backend, id backends.ID) *backends.VM {
	t.Helper()
	got, err := b.GetVMs(t.Context(), []backends.ID{id}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if got[id].Err != nil {
		t.Fatal(got[id].Err)
	}
	return got[id].VM
}

// change turns a VM into to, and checks that it is that afterwards.
func change(t *testing.T, b *Backend, id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) {
	t.Helper()
	from := get(t, b, id)
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: to, Changes: backends.Diff(&from.Config, to), Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range backends.Diff(&get(t, b, id).Config, to) {
		t.Errorf("after the change the next plan would %s", c)
	}
}

func power(t *testing.T, b *Backend, id backends.ID, action backends.PowerAction) {
	t.Helper()
	if err := b.SetPower(t.Context(), id, action); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code backends.Code) *backends.Error {
	t.Helper()
	var e *backends.Error
	if backends.CodeOf(err) != code || !errors.As(err, &e) {
		t.Fatalf("code is %q, want %q: %v", backends.CodeOf(err), code, err)
	}
	return e
}

// TestForeign reads, changes and deletes a VM that was made elsewhere. Its volumes are not ours.
func TestForeign(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "theirs.qcow2")
	l.Virsh(t, "vol-create-as", "default", "theirs.qcow2", "1G", "--format", "qcow2")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", "theirs.qcow2", "default") })
	l.Define(t, "", `<domain type='qemu'><name>foreign</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
		<metadata><other:note xmlns:other="urn:other">keep me</other:note></metadata>
		<os><type arch='x86_64' machine='pc'>hvm</type></os><cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Skylake-Client</model></cpu>
		<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='`+filepath.Join(l.Dir, "pool", "theirs.qcow2")+`'/><target dev='vda' bus='virtio'/></disk>
		<interface type='network'><source network='default'/><model type='e1000'/></interface>
		<watchdog model='i6300esb' action='reset'/></devices></domain>`)
	id := backends.ID(l.Virsh(t, "domuuid", "foreign"))

	vm := get(t, b, id)
	disk, nic := vm.Config.Disks["vda"], vm.Config.Networks["net0"]
	if vm.Owned || deref(disk.SizeGiB) != 1 || deref(disk.Storage) != "default" || deref(nic.Model) != "e1000" || deref(nic.Network) != "default" {
		t.Fatalf("observed %+v %+v, owned %v", disk, nic, vm.Owned)
	}
	if vm.Disks["vda"].Owned || vm.Disks["vda"].VolumeID != "default/theirs.qcow2" {
		t.Errorf("status of the disk is %+v", vm.Disks["vda"])
	}

	to := vm.Config
	to.Tags = []string{"adopted"}
	to.CPU.Cores = ptr(int64(1))
	to.Disks["extra"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("scsi")}
	change(t, b, id, &to, backends.Cold)
	after := l.Virsh(t, "dumpxml", "--inactive", "foreign")
	for _, theirs := range []string{"keep me", "i6300esb", deref(nic.MAC)} {
		if !strings.Contains(after, theirs) {
			t.Errorf("%q is gone from the definition", theirs)
		}
	}
	if now := get(t, b, id); !now.Owned || now.Config.Disks["vda"].SizeGiB == nil || now.Disks["vda"].Owned || !now.Disks["extra"].Owned {
		t.Errorf("after the adoption: owned %v, disks %+v", now.Owned, now.Disks)
	}
	power(t, b, id, backends.PowerOn)
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if volumes := l.Volumes(t, "default"); !slices.Equal(volumes, []string{"theirs.qcow2"}) {
		t.Errorf("volumes left: %v, want theirs only", volumes)
	}
}

// TestDaemonRestart reads and changes a VM across a restart of libvirtd, in the middle
// of the same connection.
func TestDaemonRestart(t *testing.T) {
	l := libvirtlab.Start(t)
	b := openLab(t, l)
	spec := blank("survivor")
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)

	waiting := make(chan error, 1)
	go func() { waiting <- b.WaitPower(t.Context(), id, backends.Stopped) }()
	l.Restart(t)
	if vm := get(t, b, id); vm.Power != backends.Running {
		t.Errorf("the VM is %s after the restart, want running", vm.Power)
	}
	spec.Tags = []string{"after"}
	change(t, b, id, spec, backends.Live)

	// While the daemon is away nothing is mistaken for gone.
	l.StopDaemon(t)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := b.GetVMs(short, []backends.ID{id}, everything)
	if code := backends.CodeOf(err); code != backends.Timeout && code != backends.Transient {
		t.Errorf("code without a daemon is %q: %v", code, err)
	}
	l.StartDaemon(t)
	power(t, b, id, backends.PowerOff)
	select {
	case err := <-waiting:
		if err != nil {
			t.Errorf("waiting across the restarts: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the wait across the restarts did not end")
	}
}

// TestParallelCreates makes twenty VMs at once, none of which gets in another's way.
func TestParallelCreates(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ids []backends.ID
	for i := range 20 {
		wg.Go(func() {
			spec := blank(fmt.Sprintf("many-%d", i))
			spec.Networks = map[string]backends.NIC{"lan": {}}
			spec.CloudInit = &backends.CloudInit{Hostname: ptr("many")}
			id, err := b.CreateVM(t.Context(), spec)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
		})
	}
	wg.Wait()
	got, err := b.GetVMs(t.Context(), ids, everything)
	if err != nil {
		t.Fatal(err)
	}
	macs := map[string]bool{}
	for _, r := range got {
		if r.Err != nil {
			t.Error(r.Err)
			continue
		}
		macs[r.VM.Networks["lan"].MAC] = true
	}
	if len(macs) != 20 {
		t.Errorf("%d different MAC addresses, want 20", len(macs))
	}
	for _, id := range ids {
		wg.Go(func() {
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestDeferred keeps a change for the next start, and says so until then.
func TestDeferred(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("later")
	spec.Disks["old"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("sata")}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	old := get(t, b, id).Disks["old"]

	delete(spec.Disks, "old")
	spec.Memory.SizeMiB = ptr(int64(192))
	change(t, b, id, spec, backends.Deferred)
	if !get(t, b, id).Pending {
		t.Error("the change is not said to wait")
	}
	if _, err := os.Stat(old.Path); err != nil {
		t.Errorf("the disk was deleted below the running guest: %v", err)
	}
	// A live change meanwhile does not make the other one look done.
	spec.Tags = []string{"now"}
	change(t, b, id, spec, backends.Live)
	if !get(t, b, id).Pending {
		t.Error("after a live change the deferred one is no longer said to wait")
	}
	power(t, b, id, backends.PowerOff)
	power(t, b, id, backends.PowerOn)
	if get(t, b, id).Pending {
		t.Error("after the restart the change is still said to wait")
	}
	if _, err := os.Stat(old.Path); err == nil {
		t.Error("the removed disk's volume is still there after the restart")
	}
	if kib := l.Virsh(t, "dominfo", "later"); !strings.Contains(kib, "196608 KiB") {
		t.Errorf("the VM runs with the old memory:\n%s", kib)
	}
}

// TestCreateAgain repeats a creation that ended half-way, and one that was complete.
func TestCreateAgain(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("twice")
	spec.CreateToken = "once"
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1)), Storage: ptr("default")}
	ctx, cancel := context.WithCancel(t.Context())
	ctx = backends.WithProgress(ctx, func(p backends.Progress) {
		if p.Op == `make disk "data"` {
			cancel()
		}
	})
	first, err := b.CreateVM(ctx, spec)
	wantCode(t, err, backends.Canceled)
	if first == "" {
		t.Fatal("the half-made VM has no id")
	}
	again := create(t, b, spec)
	if again != first {
		t.Errorf("the second try made %s beside %s", again, first)
	}
	if n := len(l.Volumes(t, "default")); n != 2 {
		t.Errorf("%d volumes after the second try, want 2", n)
	}
	if third, err := b.CreateVM(t.Context(), spec); err != nil || third != first {
		t.Errorf("a third try: %s, %v", third, err)
	}
	spec.CreateToken = "other"
	_, err = b.CreateVM(t.Context(), spec)
	if e := wantCode(t, err, backends.Conflict); !strings.Contains(e.Remedy, string(first)) || e.Path != "name" {
		t.Errorf("the conflict does not lead to the other VM: %+v", e)
	}
}

// TestWhatIsThere names what exists where a name does not.
func TestWhatIsThere(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	for name, c := range map[string]struct {
		edit   func(*backends.VMSpec)
		code   backends.Code
		path   backends.Path
		remedy string
	}{
		"pool": {
			func(s *backends.VMSpec) {
				s.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), Storage: ptr("nope")}
			},
			backends.NotFound, `disks["root"].storage`, "default",
		},
		"network": {
			func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": {Network: ptr("nope")}} },
			backends.NotFound, `networks["lan"].network`, "static",
		},
		"bridge": {
			func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": {Network: ptr("bridge:nope")}} },
			backends.NotFound, `networks["lan"].network`, libvirtlab.Bridge,
		},
		"image":  {func(s *backends.VMSpec) { s.Image = "default/nope" }, backends.NotFound, "image", ""},
		"volume": {func(s *backends.VMSpec) { s.Disks["x"] = backends.Disk{Volume: ptr("default/nope")} }, backends.NotFound, `disks["x"].volume`, ""},
		"vlan": {
			func(s *backends.VMSpec) {
				s.Networks = map[string]backends.NIC{"lan": {Network: ptr("default"), VLAN: ptr(int64(5))}}
			},
			backends.Unsupported, `networks["lan"].vlan`, "Open vSwitch",
		},
		"machine": {
			func(s *backends.VMSpec) { s.Libvirt = &backends.LibvirtOptions{Machine: ptr("nope")} },
			backends.Invalid, "libvirt.machine", "q35",
		},
		"domain type": {
			func(s *backends.VMSpec) { s.Libvirt = &backends.LibvirtOptions{DomainType: ptr("kvm")} },
			backends.Unsupported, "libvirt.domain_type", "qemu",
		},
		"model": {func(s *backends.VMSpec) { s.CPU.Model = ptr("host-passthrough") }, backends.Invalid, "cpu.model", "maximum"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := blank("never")
			c.edit(spec)
			id, err := b.CreateVM(t.Context(), spec)
			e := wantCode(t, err, c.code)
			if id != "" || e.Path != c.path || !strings.Contains(e.Remedy, c.remedy) {
				t.Errorf("id %q, path %q, remedy %q", id, e.Path, e.Remedy)
			}
		})
	}
	l.AssertEmpty(t) // nothing was made

	info, err := b.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kvm := backends.Requirements(&backends.VMSpec{Name: "never", Libvirt: &backends.LibvirtOptions{DomainType: ptr("kvm")}})
	if f := backends.Check(info.Catalogue, &backends.VMSpec{}, &backends.VMSpec{}, kvm, backends.CheckOptions{}); len(f) != 1 || f[0].Path != "libvirt.domain_type" {
		t.Errorf("a plan without KVM on the host says %v of domain_type = kvm", f)
	}
}
