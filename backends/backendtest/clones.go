package backendtest

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var cloneCases = []Case{
	{
		Name:   "clones/full",
		Proves: []backends.Feature{backends.FeatureClone, backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { cloneInherits(t, e, false, false) },
	},
	{
		Name:   "clones/full_of_a_running_vm",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { cloneInherits(t, e, false, true) },
	},
	{
		Name:   "clones/linked",
		Proves: []backends.Feature{backends.FeatureClone, backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { cloneInherits(t, e, true, false) },
	},
	{
		Name:   "clones/linked_of_a_running_vm",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { cloneInherits(t, e, true, true) },
	},
	{
		Name:   "clones/overrides",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { cloneOverrides(t, e, false) },
	},
	{
		Name:   "clones/linked_overrides",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { cloneOverrides(t, e, true) },
	},
	{
		Name:   "clones/maps",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    cloneMaps,
	},
	{
		Name:   "clones/not_inherited",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureCloudInit},
		Run:    cloneNotInherited,
	},
	{
		Name:   "clones/volumes",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureDiskVolume},
		Run:    cloneVolumes,
	},
	{
		Name:   "clones/firmware",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureUEFI},
		Run:    cloneFirmware,
	},
	{
		Name:   "clones/snapshot",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureSnapshotCreate},
		Run:    func(t *testing.T, e *Env) { cloneSnapshot(t, e, false) },
	},
	{
		Name:   "clones/linked_to_a_snapshot",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Needs:  []backends.Feature{backends.FeatureSnapshotCreate},
		Run:    func(t *testing.T, e *Env) { cloneSnapshot(t, e, true) },
	},
	{
		Name:   "clones/refused",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    cloneRefused,
	},
	{
		Name:   "clones/changed",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { changeClone(t, e, false) },
	},
	{
		Name:   "clones/linked_changed",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { changeClone(t, e, true) },
	},
}

// tryClone clones, and deletes what was made when the test ends.
func (e *Env) tryClone(t *testing.T, spec backends.CloneSpec) (backends.ID, error) {
	t.Helper()
	id, err := e.CloneVM(e.Ctx(t), &spec)
	e.DeleteLater(t, id)
	return id, err
}

// clone makes a clone that is deleted when the test ends, and checks that it is
// what was asked for, with an identity of its own, and that its source is what it was.
func (e *Env) clone(t *testing.T, spec backends.CloneSpec) backends.ID {
	t.Helper()
	before := e.Read(t, spec.Source, all)
	id, err := e.tryClone(t, spec)
	if err != nil {
		t.Fatalf("CloneVM(%s): %v", spec.Spec.Name, err)
	}
	if id == "" || id == spec.Source {
		t.Fatalf("CloneVM(%s) of %s answered the id %q and no error", spec.Spec.Name, spec.Source, id)
	}
	e.unchanged(t, spec.Source, before)
	e.Matches(t, id, &spec.Spec)
	e.InState(t, id, backends.Stopped)
	e.apart(t, before, e.Read(t, id, all))
	return id
}

// apart fails where two VMs share what belongs to one.
func (e *Env) apart(t *testing.T, a, b *backends.VM) {
	t.Helper()
	if a.UUID == b.UUID || b.UUID == "" {
		t.Errorf("%q has the UUID %q of %q", b.Config.Name, b.UUID, a.Config.Name)
	}
	if !b.Owned || b.Template {
		t.Errorf("the clone is said to be owned: %t, a template: %t", b.Owned, b.Template)
	}
	for _, m := range a.Networks {
		for key, n := range b.Networks {
			if n.MAC == m.MAC || !macForm(n.MAC) {
				t.Errorf("interface %q of %q has MAC %q, %q has %q", key, b.Config.Name, n.MAC, a.Config.Name, m.MAC)
			}
		}
	}
	for _, was := range a.Disks {
		for key, d := range b.Disks {
			if d.Path == was.Path || d.Path == "" || !d.Owned && b.Config.Disks[key].Volume == nil {
				t.Errorf("disk %q of %q is %+v, %q has %+v", key, b.Config.Name, d, a.Config.Name, was)
			}
		}
	}
}

// source is the spec of a VM with a bit of everything that every hypervisor can copy.
func (e *Env) source() *backends.VMSpec {
	spec := e.layered()
	spec.GuestOS = new("linux")
	spec = withDisk(spec, "data", backends.Disk{SizeGiB: new(int64(2)), Discard: new(true)})
	if e.Seed.SecondNetwork != "" {
		spec.Networks["dmz"] = backends.NIC{Network: new(e.Seed.SecondNetwork), Model: new("e1000"), Connected: new(false)}
	}
	if e.Catalogue.Supports(backends.FeatureWatchdog) {
		spec.Watchdog = new("reset")
	}
	if e.Catalogue.Supports(backends.FeatureRNG) {
		spec.RNG = new(true)
	}
	if e.Catalogue.Supports(backends.FeatureLimits) {
		spec.CPU.LimitMHz = new(int64(1000))
	}
	if e.Catalogue.Supports(backends.FeatureReservations) {
		spec.CPU.Shares = new(int64(2000))
	}
	if e.Catalogue.Supports(backends.FeatureHotCPUAdd) {
		spec.CPU.MaxCores = new(int64(2))
	}
	if e.Catalogue.Supports(backends.FeatureFolders) && e.Seed.Folder != "" {
		spec.Placement.Folder = new(e.Seed.Folder)
	}
	return spec
}

// inherited is what a clone of a VM is where its spec says nothing but a name.
func inherited(from *backends.VMSpec, name string, linked bool) *backends.VMSpec {
	s := *from
	s.Name, s.Settings, s.Customization, s.Placement.Host, s.CloudInit = name, nil, nil, nil, nil
	s.Image, s.Template, s.CreateToken = "", "", ""
	if from.Console != nil {
		c := *from.Console
		c.Port, c.Password, c.PasswordVersion = nil, nil, nil
		s.Console = &c
	}
	s.Disks, s.Networks = map[string]backends.Disk{}, map[string]backends.NIC{}
	for key, d := range from.Disks {
		d.KeepOnDestroy, d.Volume = nil, nil
		if linked { // what lies above shared content has its own form
			d.Format, d.Provisioning = nil, nil
		}
		s.Disks[key] = d
	}
	for key, n := range from.Networks {
		n.MAC, n.IPv4, n.IPv6 = nil, nil, nil
		s.Networks[key] = n
	}
	return &s
}

// cloneInherits clones a VM with nothing but a name.
func cloneInherits(t *testing.T, e *Env, linked, running bool) {
	from := e.source()
	src := e.Create(t, from)
	if running {
		e.Power(t, src, backends.PowerOn)
	}
	spec := backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}}
	id := e.clone(t, spec)
	e.Matches(t, id, inherited(from, spec.Spec.Name, linked))

	was, is := e.Read(t, src, all), e.Read(t, id, all)
	e.Matches(t, id, inherited(&was.Config, spec.Spec.Name, linked)) // defaults included
	if len(is.Disks) != len(was.Disks) || len(is.Networks) != len(was.Networks) {
		t.Errorf("the clone has the disks %v and networks %v, its source %v and %v", is.Disks, is.Networks, was.Disks, was.Networks)
	}
	for key, d := range was.Disks {
		if is.Disks[key].SizeBytes != d.SizeBytes {
			t.Errorf("disk %q has %d bytes, its source %d", key, is.Disks[key].SizeBytes, d.SizeBytes)
		}
		if linked && is.Disks[key].Backing == "" {
			t.Errorf("disk %q of the linked clone shares nothing: %+v", key, is.Disks[key])
		}
	}
	if is.Config.Settings != nil && *is.Config.Settings == *from.Settings {
		t.Error("the clone inherited the settings of its source's owner")
	}

	// Both live.
	e.Power(t, id, backends.PowerOn)
	if !running {
		e.Power(t, src, backends.PowerOn)
	}
	e.Matches(t, src, from)
	if linked {
		return // the source goes after its clones
	}
	owned := e.volumes(t, src)
	if err := e.DeleteVM(e.Ctx(t), src, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM of the source of a full clone: %v", err)
	}
	e.lost(t, owned)
	e.Power(t, id, backends.PowerOff)
	e.Power(t, id, backends.PowerOn)
}

// cloneOverrides says something of every kind of field.
func cloneOverrides(t *testing.T, e *Env, linked bool) {
	src := e.Create(t, e.source())
	spec := backends.VMSpec{
		Name: e.Name(), Description: new("another"), Tags: []string{"b", "c"}, GuestOS: new("other"), Settings: new(`{"mine":1}`),
		CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(320))},
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: new(int64(2))},                   // grown
			"data": {Discard: new(false)},                      // inherits its size
			"own":  {SizeGiB: new(int64(1)), Bus: new("scsi")}, // new
		},
	}
	if e.Seed.Network != "" && e.Seed.SecondNetwork != "" {
		spec.Networks = map[string]backends.NIC{
			"lan": {Network: new(e.Seed.SecondNetwork), MAC: new("52:54:00:c1:0e:01")},
			"own": {Network: new(e.Seed.Network)},
		}
	}
	if e.Catalogue.Supports(backends.FeatureCloudInit) {
		spec.CloudInit = &backends.CloudInit{Hostname: new("other"), UserData: new("#cloud-config\n{}\n")}
		spec.DNS = &backends.DNS{Servers: []string{"192.0.2.53"}, Search: []string{}}
	}
	if !linked && e.Seed.SecondStorage != "" {
		root := spec.Disks["root"]
		root.Storage = new(e.Seed.SecondStorage)
		spec.Disks["root"] = root
	}
	id := e.clone(t, backends.CloneSpec{Source: src, Linked: linked, Spec: spec})
	vm := e.Read(t, id, all)
	for key, want := range map[string]int64{"root": 2, "data": 2, "own": 1} {
		if got := vm.Disks[key].SizeBytes; got != want*gib {
			t.Errorf("disk %q has %d bytes, want %d GiB", key, got, want)
		}
	}
	if len(vm.Disks) != 3 || spec.Networks != nil && len(vm.Networks) != 2 {
		t.Errorf("the clone has more than was named: disks %v, networks %v", vm.Disks, vm.Networks)
	}
	if linked && (vm.Disks["root"].Backing == "" || vm.Disks["own"].Backing != "") {
		t.Errorf("what is inherited shares, what is new does not: %+v", vm.Disks)
	}
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, &spec)
}

// cloneMaps: a map that is there names all.
func cloneMaps(t *testing.T, e *Env) {
	src := e.Create(t, e.source())
	id := e.clone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{
		Name: e.Name(), Disks: map[string]backends.Disk{"root": {}}, Networks: map[string]backends.NIC{}, Tags: []string{},
	}})
	vm := e.Read(t, id, all)
	if len(vm.Disks) != 1 || len(vm.Networks) != 0 || len(vm.Config.Tags) != 0 {
		t.Errorf("disks %v, networks %v, tags %v, want the root disk and nothing else", vm.Disks, vm.Networks, vm.Config.Tags)
	}
	if vm.Config.Description == nil || *vm.Config.Description != "snapshotted" {
		t.Errorf("the description %v was not inherited", vm.Config.Description)
	}
	for key, size := range map[string]int64{"root": 0, "data": 1} {
		spec := backends.CloneSpec{Source: src, Spec: backends.VMSpec{
			Name: e.Name(), Disks: map[string]backends.Disk{"root": {}, key: {SizeGiB: &size}},
		}}
		wantPath(t, e.refuseClone(t, spec, backends.Invalid), backends.Path("disks").Key(key).Attr("size_gib"))
	}
}

// refuseClone clones, which must fail with one of codes, name the VM to be and
// leave nothing; the source is what it was.
func (e *Env) refuseClone(t *testing.T, spec backends.CloneSpec, codes ...backends.Code) *backends.Error {
	t.Helper()
	before := e.Named(t, spec.Spec.Name)
	id, err := e.tryClone(t, spec)
	failed := WantCode(t, err, codes...)
	wantNamed(t, failed, spec.Spec.Name)
	if after := e.Named(t, spec.Spec.Name); !sameIDs(before, after) || id != "" {
		t.Errorf("the refused clone answered the id %q; VMs of the name were %v and are %v", id, before, after)
	}
	return failed
}

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

// cloneVolumes: a disk with a life of its own is copied, not shared.
func cloneVolumes(t *testing.T, e *Env) {
	v := e.volume(t)
	src := e.Create(t, withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID}))
	for _, linked := range []bool{false, true} {
		if linked && !e.Catalogue.Supports(backends.FeatureLinkedClone) {
			continue
		}
		id := e.clone(t, backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}})
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

func cloneRefused(t *testing.T, e *Env) {
	from := e.Spec()
	src := e.Create(t, from)
	taken := e.Spec()
	other := e.Create(t, taken)
	e.refuseClone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: taken.Name}}, backends.Conflict)
	e.refuseClone(t, backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: from.Name}}, backends.Conflict)
	e.Matches(t, src, from)
	e.Matches(t, other, taken)

	err := e.refuseClone(t, backends.CloneSpec{Source: e.Seed.MissingVM, Spec: backends.VMSpec{Name: e.Name()}}, backends.NotFound)
	wantNamed(t, err, string(e.Seed.MissingVM))
	wantPath(t, err, "source_vm")

	// What a plan would refuse is refused also where there was no plan.
	bad := backends.VMSpec{Name: e.Name(), Disks: map[string]backends.Disk{"root": {}, "own": {SizeGiB: new(int64(0))}}}
	wantPath(t, e.refuseClone(t, backends.CloneSpec{Source: src, Spec: bad}, backends.Invalid), `disks["own"].size_gib`)
	if e.Catalogue.Supports(backends.FeatureStoragePools) {
		lost := backends.VMSpec{Name: e.Name(), Disks: map[string]backends.Disk{"root": {Storage: new("no-such-storage")}}}
		err := e.refuseClone(t, backends.CloneSpec{Source: src, Spec: lost}, backends.NotFound)
		wantPath(t, err, `disks["root"].storage`)
	}
	e.unchanged(t, src, e.Read(t, src, all))
	e.Power(t, src, backends.PowerOn)
}

// changeClone: a clone is a VM like any other.
func changeClone(t *testing.T, e *Env, linked bool) {
	from := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))})
	src := e.Create(t, from)
	before := e.Read(t, src, all)
	id := e.clone(t, backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}})
	to := e.desired(t, id)
	to.Description, to.CPU.Cores, to.Memory.SizeMiB = new("changed"), new(int64(2)), new(int64(320))
	root := to.Disks["root"]
	root.SizeGiB = new(int64(2))
	to = withDisk(to, "root", root)
	to = withDisk(to, "more", backends.Disk{SizeGiB: new(int64(1))})
	delete(to.Disks, "data")
	e.Apply(t, id, to, backends.Cold)
	renamed := *to
	renamed.Name = e.Name()
	e.Apply(t, id, &renamed, backends.Cold)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, &renamed)
	if got := e.Read(t, id, all).Disks; got["root"].SizeBytes != 2*gib || len(got) != 2 {
		t.Errorf("the clone's disks are %+v", got)
	}
	e.unchanged(t, src, before)
}
