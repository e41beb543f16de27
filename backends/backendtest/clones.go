package backendtest

import (
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
		Name:   "clones/console",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureConsoleOptions},
		Run:    cloneConsole,
	},
	{
		Name:   "clones/volumes_of_a_snapshot",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Needs:  []backends.Feature{backends.FeatureDiskVolume, backends.FeatureSnapshotCreate},
		Run:    cloneSnapshotVolumes,
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

// cloneInherits clones a VM with nothing but a name.
func cloneInherits(t *testing.T, e *Env, linked, running bool) {
	from := e.source()
	src := e.Create(t, from)
	if running {
		e.Power(t, src, backends.PowerOn)
	}
	vm := src
	if linked {
		src = e.linkSource(t, vm)
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
		e.Power(t, vm, backends.PowerOn)
	}
	e.Matches(t, vm, from)
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
	if linked {
		src = e.linkSource(t, src)
	}
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
	sizes := map[string]int64{"root": 2, "data": 2, "own": 1}
	if linked && e.Catalogue.LinkedKeepSize {
		err := e.refuseClone(t, backends.CloneSpec{Source: src, Linked: true, Spec: spec}, backends.Invalid, backends.Precondition)
		wantPath(t, err, `disks["root"].size_gib`)
		spec.Disks["root"] = backends.Disk{}
		sizes["root"] = 1
	}
	id := e.clone(t, backends.CloneSpec{Source: src, Linked: linked, Spec: spec})
	vm := e.Read(t, id, all)
	for key, want := range sizes {
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
	if linked {
		src = e.linkSource(t, src)
	}
	before := e.Read(t, src, all)
	id := e.clone(t, backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}})
	to := e.desired(t, id)
	to.Description, to.CPU.Cores, to.Memory.SizeMiB = new("changed"), new(int64(2)), new(int64(320))
	size := int64(2)
	root := to.Disks["root"]
	root.SizeGiB = &size
	to = withDisk(to, "root", root)
	if linked && e.Catalogue.LinkedKeepSize {
		was := e.Read(t, id, all)
		wantPath(t, WantCode(t, e.TryApply(t, id, to, backends.Cold), backends.Invalid, backends.Precondition), `disks["root"].size_gib`)
		e.unchanged(t, id, was)
		size = 1
	}
	to = withDisk(to, "more", backends.Disk{SizeGiB: new(int64(1))})
	delete(to.Disks, "data")
	e.Apply(t, id, to, backends.Cold)
	renamed := *to
	renamed.Name = e.Name()
	e.Apply(t, id, &renamed, backends.Cold)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, &renamed)
	if got := e.Read(t, id, all).Disks; got["root"].SizeBytes != size*gib || len(got) != 2 {
		t.Errorf("the clone's disks are %+v", got)
	}
	e.unchanged(t, src, before)
}
