package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const gib = 1 << 30

var diskCases = []Case{
	{
		Name:   "disks/create",
		Proves: []backends.Feature{backends.FeatureDiskCreate, backends.FeatureMultipleDisks},
		Run:    createDisks,
	},
	{
		Name:   "disks/thin",
		Proves: []backends.Feature{backends.FeatureThinProvisioning},
		Run:    func(t *testing.T, e *Env) { provisioned(t, e, "thin") },
	},
	{
		Name:   "disks/thick",
		Proves: []backends.Feature{backends.FeatureThickDisks},
		Run:    func(t *testing.T, e *Env) { provisioned(t, e, "thick") },
	},
	{
		Name:   "disks/grow_stopped",
		Proves: []backends.Feature{backends.FeatureDiskResize},
		Run:    growStopped,
	},
	{
		Name:   "disks/grow_running",
		Proves: []backends.Feature{backends.FeatureDiskResize},
		Run:    growRunning,
	},
	{
		Name:   "disks/never_shrink",
		Proves: []backends.Feature{backends.FeatureDiskResize},
		Run:    neverShrink,
	},
	{
		Name:   "disks/add_and_remove",
		Proves: []backends.Feature{backends.FeatureMultipleDisks},
		Run:    addAndRemoveDisk,
	},
	{
		Name:   "disks/second_storage",
		Proves: []backends.Feature{backends.FeatureStoragePools},
		Lacks:  lacks("SecondStorage", func(s *Seed) string { return s.SecondStorage }),
		Run:    secondStorage,
	},
	{
		Name:   "disks/policy",
		Proves: []backends.Feature{backends.FeatureStoragePolicies},
		Lacks:  lacks("StoragePolicy", func(s *Seed) string { return s.StoragePolicy }),
		Run:    storagePolicy,
	},
	{
		Name:   "disks/options",
		Proves: []backends.Feature{backends.FeatureDiskCreate},
		Run:    diskOptions,
	},
}

// lacks makes a Case.Lacks of one field of Seed.
func lacks(field string, value func(*Seed) string) func(*Harness) string {
	return func(h *Harness) string {
		if value(&h.Seed) == "" {
			return "Seed." + field
		}
		return ""
	}
}

func withDisk(spec *backends.VMSpec, key string, d backends.Disk) *backends.VMSpec {
	c := *spec
	c.Disks = map[string]backends.Disk{key: d}
	for k, v := range spec.Disks {
		if k != key {
			c.Disks[k] = v
		}
	}
	return &c
}

func createDisks(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(2))})
	spec = withDisk(spec, "a-log", backends.Disk{SizeGiB: new(int64(1))})
	id := e.Create(t, spec)
	vm := e.Read(t, id, all)
	if len(vm.Config.Disks) != 3 || len(vm.Disks) != 3 {
		t.Fatalf("%d disks configured, %d described, want 3", len(vm.Config.Disks), len(vm.Disks))
	}
	devices, paths := map[string]bool{}, map[string]bool{}
	for key, size := range map[string]int64{"root": 1, "data": 2, "a-log": 1} {
		s := vm.Disks[key]
		if s.SizeBytes != size*gib {
			t.Errorf("disk %q has %d bytes, want %d GiB", key, s.SizeBytes, size)
		}
		if s.Device == "" || s.Path == "" || devices[s.Device] || paths[s.Path] {
			t.Errorf("disk %q: device %q and path %q must be there and unique", key, s.Device, s.Path)
		}
		if !s.Owned {
			t.Errorf("disk %q was made with the VM but is not its own", key)
		}
		devices[s.Device], paths[s.Path] = true, true
	}
}

func provisioned(t *testing.T, e *Env, how string) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Provisioning: new(how)})
	id := e.Create(t, spec)
	got := e.Read(t, id, all).Config.Disks["data"].Provisioning
	if got == nil || *got != how {
		t.Errorf("provisioning reads back as %v, want %q", got, how)
	}
}

func growStopped(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	grown := spec.Disks["root"]
	grown.SizeGiB = new(int64(2))
	e.Apply(t, id, withDisk(spec, "root", grown), backends.Cold)
	if got := e.Read(t, id, all).Disks["root"].SizeBytes; got != 2*gib {
		t.Errorf("the disk has %d bytes, want 2 GiB", got)
	}
}

func growRunning(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	grown := spec.Disks["root"]
	grown.SizeGiB = new(int64(2))
	e.Apply(t, id, withDisk(spec, "root", grown), backends.Live)
	e.InState(t, id, backends.Running)
	e.Power(t, id, backends.PowerOff)
	if got := e.Read(t, id, all).Disks["root"].SizeBytes; got != 2*gib {
		t.Errorf("the disk has %d bytes after the VM was stopped, want 2 GiB", got)
	}
}

func neverShrink(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(2))})
	id := e.Create(t, spec)
	smaller := withDisk(spec, "data", backends.Disk{SizeGiB: new(int64(1))})
	err := WantCode(t, e.TryApply(t, id, smaller, backends.Cold), backends.Invalid)
	wantPath(t, err, `disks["data"].size_gib`)
	if got := e.Read(t, id, all).Disks["data"].SizeBytes; got != 2*gib {
		t.Errorf("the disk has %d bytes after the refusal, want 2 GiB", got)
	}
}

func addAndRemoveDisk(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	before := e.Read(t, id, all).Disks["root"]
	bigger := withDisk(spec, "data", backends.Disk{SizeGiB: new(int64(1))})
	e.Apply(t, id, bigger, backends.Cold)
	e.Apply(t, id, spec, backends.Cold)
	vm := e.Read(t, id, all)
	if len(vm.Config.Disks) != 1 {
		t.Errorf("%d disks after the removal, want 1", len(vm.Config.Disks))
	}
	if after := vm.Disks["root"]; after.Path != before.Path || after.Device != before.Device {
		t.Errorf("the other disk moved from %+v to %+v", before, after)
	}

	// One goes and one comes in one step.
	e.Apply(t, id, bigger, backends.Cold)
	swapped := withDisk(spec, "other", backends.Disk{SizeGiB: new(int64(2))})
	e.Apply(t, id, swapped, backends.Cold)
	if d := e.Read(t, id, all).Disks; d["other"].SizeBytes != 2*gib || len(d) != 2 {
		t.Errorf("disks after a swap: %+v", d)
	}
}

func secondStorage(t *testing.T, e *Env) {
	storages, err := e.Storages(e.Ctx(t))
	if err != nil {
		t.Fatalf("Storages: %v", err)
	}
	known := map[string]backends.Storage{}
	for _, s := range storages {
		known[s.Name] = s
	}
	for _, name := range []string{e.Seed.Storage, e.Seed.SecondStorage} {
		s, ok := known[name]
		if !ok || s.CapacityBytes <= 0 || s.FreeBytes > s.CapacityBytes || !s.Active {
			t.Errorf("storage %q in the inventory: %+v", name, s)
		}
	}
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Storage: new(e.Seed.SecondStorage)})
	id := e.Create(t, spec)
	got := e.Read(t, id, all).Config.Disks["data"].Storage
	if got == nil || *got != e.Seed.SecondStorage {
		t.Errorf("the disk is on %v, want %q", got, e.Seed.SecondStorage)
	}
	// A disk that is plugged later finds the storage too.
	more := withDisk(spec, "more", backends.Disk{SizeGiB: new(int64(1)), Storage: new(e.Seed.SecondStorage)})
	e.Apply(t, id, more, backends.Cold)
}

func storagePolicy(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Policy: new(e.Seed.StoragePolicy)})
	id := e.Create(t, spec)
	if got := e.Read(t, id, all).Config.Disks["data"].Policy; got == nil || *got != e.Seed.StoragePolicy {
		t.Errorf("the disk's policy is %v, want %q", got, e.Seed.StoragePolicy)
	}
	e.Power(t, id, backends.PowerOn)
	missing := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Policy: new("no-such-policy")})
	err := e.refuseCreate(t, missing, backends.NotFound)
	wantPath(t, err, `disks["data"].policy`)
	wantNamed(t, err, "no-such-policy")
}

// diskOptions asks for each value that the catalogue lists for a disk's bus,
// cache and format, and reads it back.
func diskOptions(t *testing.T, e *Env) {
	spec := e.Spec()
	set := map[backends.Path]func(*backends.Disk, string){
		"disks.bus":    func(d *backends.Disk, v string) { d.Bus = &v },
		"disks.cache":  func(d *backends.Disk, v string) { d.Cache = &v },
		"disks.format": func(d *backends.Disk, v string) { d.Format = &v },
	}
	for path, set := range set {
		for _, value := range e.Catalogue.Accepts[string(path)] {
			d := backends.Disk{SizeGiB: new(int64(1))}
			set(&d, value)
			spec = withDisk(spec, value, d)
		}
	}
	options := backends.Disk{SizeGiB: new(int64(1))}
	if e.has("disks.discard") {
		options.Discard = new(true)
	}
	if e.has("disks.ssd") {
		options.SSD = new(true)
	}
	spec = withDisk(spec, "options", options)
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn) // the hypervisor takes all of them
}
