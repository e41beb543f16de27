package backendtest

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cloneNotInherited: what cloud-init was told of one VM is told of no other.
func cloneNotInherited(t *testing.T, e *Env) {
	from := e.source()
	from.CloudInit = &backends.CloudInit{
		Hostname: new("one"), InstanceID: new("i-one"), UserData: new("#cloud-config\npackages: [htop]\n"),
		SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuxoeK4HJ0jh7wCcAfwacXbCKagpVDtldXKwDU9eAKq test"},
	}
	if e.Catalogue.Supports(backends.FeatureStaticIP) && e.Seed.Network != "" {
		from.Networks["lan"] = backends.NIC{Network: new(e.Seed.Network), IPv4: &backends.IPConfig{Address: "192.0.2.7/24"}}
	}
	root := from.Disks["root"]
	root.KeepOnDestroy = new(true)
	from.Disks["root"] = root
	src := e.Create(t, from)
	defer func() { // which outlives the VM, as was asked
		from.Disks["root"] = backends.Disk{SizeGiB: root.SizeGiB, KeepOnDestroy: new(false)}
		e.Apply(t, src, from, backends.Cold)
	}()
	id := e.clone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: e.Name()}})
	vm := e.Read(t, id, all)
	if ip := vm.Config.Networks["lan"].IPv4; ip != nil {
		t.Errorf("the clone has its source's address %+v", *ip)
	}
	if k := vm.Config.Disks["root"].KeepOnDestroy; k != nil && *k {
		t.Error("the clone's disk is kept as its source's is")
	}
	got := vm.Config.CloudInit
	if got == nil {
		t.Fatal("the source has a seed, its clone has none")
	}
	if got.Hostname != nil && *got.Hostname == "one" || got.InstanceID != nil && *got.InstanceID == "i-one" {
		t.Errorf("cloud-init finds the source's identity: %v, %v", got.Hostname, got.InstanceID)
	}
	if got.UserData == nil || *got.UserData != *from.CloudInit.UserData || !slices.Equal(got.SSHKeys, from.CloudInit.SSHKeys) {
		t.Errorf("cloud-init's inputs were not inherited: %+v", got)
	}
}

// cloneConsole: a console that asks for a password is not left open to all by a clone, which has none.
func cloneConsole(t *testing.T, e *Env) {
	i := slices.IndexFunc(e.consoleTypes(), screen)
	if i < 0 || !e.has("console.password_wo_version") || !e.has("console.address") {
		t.Log("no type of console has an address and a password")
		return
	}
	kind := e.consoleTypes()[i]
	everywhere := backends.ConsoleSpec{Type: &kind, Address: new("0.0.0.0"), Password: new("first-1"), PasswordVersion: new(int64(1))}
	src := e.Create(t, e.With(func(s *backends.VMSpec) { s.Console = &everywhere }))
	for name, c := range map[string]struct {
		asked *backends.ConsoleSpec
		open  bool
	}{
		"nothing":            {},
		"an empty console":   {asked: &backends.ConsoleSpec{}},
		"a type":             {asked: &backends.ConsoleSpec{Type: &kind}},
		"a password":         {asked: &backends.ConsoleSpec{Password: new("secnd-2"), PasswordVersion: new(int64(1))}, open: true},
		"the address itself": {asked: &backends.ConsoleSpec{Address: new("0.0.0.0")}, open: true},
	} {
		id := e.clone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: e.Name(), Console: c.asked}})
		got := e.Read(t, id, all).Config.Console
		if got == nil {
			t.Fatalf("%s: the clone has no console", name)
		}
		if open := got.Address != nil && *got.Address == "0.0.0.0"; open != c.open {
			t.Errorf("%s: the clone listens on 0.0.0.0: %t, want %t", name, open, c.open)
		}
		if asked := c.asked != nil && c.asked.Password != nil; (got.PasswordVersion != nil) != asked {
			t.Errorf("%s: the clone is said to have a password: %t", name, !asked)
		}
	}
}

// cloneVolumes: a disk with a life of its own is copied, not shared.
func cloneVolumes(t *testing.T, e *Env) {
	v := e.volume(t)
	src := e.Create(t, withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID}))
	for _, linked := range []bool{false, true} {
		if linked && !e.Catalogue.Supports(backends.FeatureLinkedClone) {
			continue
		}
		from := src
		if linked {
			from = e.linkSource(t, src)
		}
		id := e.clone(t, backends.CloneSpec{Source: from, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}})
		d := e.Read(t, id, all)
		if keep := d.Disks["keep"]; !keep.Owned || keep.SizeBytes != gib || d.Config.Disks["keep"].Volume != nil {
			t.Errorf("linked %t: the copy of the disk is %+v (%+v)", linked, keep, d.Config.Disks["keep"])
		}
		if is := e.disk(t, v.ID); is.AttachedTo != src || is.Path != v.Path {
			t.Errorf("linked %t: the disk itself is %+v", linked, is)
		}
		if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
			t.Fatalf("DeleteVM of the clone: %v", err)
		}
	}
	if is := e.disk(t, v.ID); is.AttachedTo != src {
		t.Errorf("the disk is attached to %q after the clones are gone, want %q", is.AttachedTo, src)
	}
}

// cloneSnapshotVolumes: a snapshot does not hold a disk with a life of its own, so nobody gets its present content instead.
func cloneSnapshotVolumes(t *testing.T, e *Env) {
	if e.Traits.SnapshotsOfAll {
		return // with such a disk there is no snapshot: see snapshotVolumes
	}
	v := e.volume(t)
	src := e.Create(t, withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID}))
	s := e.take(t, src, backends.SnapshotSpec{Name: "then"})
	spec := backends.CloneSpec{Source: src, Snapshot: s.ID, Spec: backends.VMSpec{Name: e.Name()}}
	wantPath(t, e.refuseClone(t, spec, backends.Precondition), backends.Path("disks").Key("keep"))
	spec.Spec = backends.VMSpec{Name: e.Name(), Disks: map[string]backends.Disk{"root": {}}}
	if _, has := e.Read(t, e.clone(t, spec), all).Disks["keep"]; has {
		t.Error("the clone has a disk that was left out")
	}
}

// cloneFirmware: firmware variables and TPM state belong to one VM each.
func cloneFirmware(t *testing.T, e *Env) {
	from := e.With(func(s *backends.VMSpec) {
		s.Firmware = new("uefi")
		if e.Catalogue.Supports(backends.FeatureTPM) {
			s.TPM = new(true)
		}
	})
	src := e.Create(t, from)
	e.Power(t, src, backends.PowerOn)
	if e.Traits.ColdTPM && from.TPM != nil {
		e.refuseClone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: e.Name()}}, backends.Precondition)
		e.Power(t, src, backends.PowerOff)
	}
	id := e.clone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: e.Name()}})
	e.Power(t, id, backends.PowerOn) // beside its source
	if vm := e.Read(t, id, all); vm.Config.Firmware == nil || *vm.Config.Firmware != "uefi" {
		t.Errorf("the clone starts with the firmware %v", vm.Config.Firmware)
	}
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM of the clone: %v", err)
	}
	e.Power(t, src, backends.PowerOff)
	e.Power(t, src, backends.PowerOn) // its own are still there
	e.Matches(t, src, from)
}

// cloneSnapshot clones what a VM was.
func cloneSnapshot(t *testing.T, e *Env, linked bool) {
	from := e.Spec()
	src := e.Create(t, from)
	s := e.take(t, src, backends.SnapshotSpec{Name: "then"})
	if linked && e.Traits.LinkedTemplates { // which have no snapshots
		spec := backends.CloneSpec{Source: src, Snapshot: s.ID, Linked: true, Spec: backends.VMSpec{Name: e.Name()}}
		wantPath(t, e.refuseClone(t, spec, backends.Precondition), "linked")
		return
	}
	now := *from
	now.Memory.SizeMiB = new(int64(320))
	e.Apply(t, src, &now, backends.Cold)
	root := now.Disks["root"]
	root.SizeGiB = new(int64(2))
	if grown := withDisk(&now, "root", root); !e.frozen(t, src, grown, backends.Cold) {
		e.Apply(t, src, grown, backends.Cold)
		now = *grown
	}
	spec := backends.CloneSpec{Source: src, Snapshot: s.ID, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}}
	id := e.clone(t, spec)
	vm := e.Read(t, id, all)
	if got := vm.Config.Memory.SizeMiB; got == nil || *got != 256 {
		t.Errorf("the clone has %v MiB, its source had 256 when the snapshot was taken", got)
	}
	if vm.Disks["root"].SizeBytes != gib {
		t.Errorf("the clone's disk is %+v, its source's had 1 GiB when the snapshot was taken", vm.Disks["root"])
	}
	if list := e.snapshots(t, id); len(list) > 0 {
		t.Errorf("the clone has its source's snapshots: %v", list)
	}
	if list := e.snapshots(t, src); len(list) != 1 {
		t.Errorf("the source has the snapshots %v, want its one", list)
	}

	missing := spec
	missing.Snapshot, missing.Spec.Name = "no-such-snapshot", e.Name()
	err := e.refuseClone(t, missing, backends.NotFound)
	wantNamed(t, err, missing.Snapshot)
	wantPath(t, err, "source_snapshot")

	// The snapshot goes, or says who needs it; the clone never notices.
	if err := e.DeleteSnapshot(e.Ctx(t), src, s.ID, false); err != nil {
		wantNamed(t, WantCode(t, err, backends.Precondition), spec.Spec.Name)
	}
	e.Matches(t, src, &now)
	e.Power(t, id, backends.PowerOn)
	e.Power(t, src, backends.PowerOn)
}
