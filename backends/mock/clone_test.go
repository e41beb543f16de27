package mock_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func cloneVM(t *testing.T, b backends.Backend, s *backends.CloneSpec) backends.ID {
	t.Helper()
	id, err := b.CloneVM(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	noDiff(t, get(t, b, id), &s.Spec)
	return id
}

func free(t *testing.T, b backends.Backend, storage string) int64 {
	t.Helper()
	all, err := b.Storages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == storage {
			return s.FreeBytes
		}
	}
	t.Fatalf("there is no storage %q", storage)
	return 0
}

// golden is a VM with something of everything that a clone inherits or not.
func golden(t *testing.T, b *mock.Backend) backends.ID {
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "shared", Disk: backends.Disk{SizeGiB: new(int64(2))}})
	if err != nil {
		t.Fatal(err)
	}
	id := create(t, b, spec("golden", func(s *backends.VMSpec) {
		s.Description, s.Tags, s.Settings = new("of gold"), []string{"gold"}, new("{}")
		s.CPU.Cores, s.Memory.SizeMiB = new(int64(3)), new(int64(768))
		s.Firmware = new("uefi")
		s.Placement = backends.PlacementSpec{Host: new("mock-02"), Folder: new("vm/web")}
		s.Disks = map[string]backends.Disk{
			"root": {SizeGiB: new(int64(4)), Provisioning: new("thick"), KeepOnDestroy: new(true)},
			"data": {SizeGiB: new(int64(6)), Storage: new("fast"), Bus: new("scsi")},
			"vol":  {Volume: new(v.ID)},
		}
		s.Networks = map[string]backends.NIC{
			"lan": {Network: new("lan"), VLAN: new(int64(7)), IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}},
			"dmz": {Network: new("dmz"), MAC: new("52:54:00:00:00:01")},
		}
		s.CloudInit = &backends.CloudInit{
			Hostname: new("golden-host"), UserData: new("#cloud-config\n"), InstanceID: new("i-1"), NetworkConfig: new("{}"),
			SSHKeys: []string{"ssh-ed25519 AAAA"}, MetaData: new("instance-id: i-9\nlocal-hostname: golden-host\nrole: web\n"),
		}
	}))
	for _, disk := range []string{"root", "data", "vol"} {
		writeData(t, b, id, disk, disk+" content")
	}
	return id
}

// TestCloneInherits: what is not asked for comes from the source, except for
// what belongs to one VM.
func TestCloneInherits(t *testing.T) {
	b := open(t, mock.Options{})
	src := golden(t, b)
	power(t, b, src, backends.PowerOn)
	source := get(t, b, src)
	for _, linked := range []bool{false, true} {
		id := cloneVM(t, b, &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: fmt.Sprint("clone-", linked)}})
		vm := get(t, b, id)
		c := vm.Config
		if vm.Power != backends.Stopped || id == src || vm.UUID == source.UUID || !vm.Owned {
			t.Errorf("the clone is %+v", vm)
		}
		if *c.Description != "of gold" || c.Tags[0] != "gold" || *c.CPU.Cores != 3 || *c.Memory.SizeMiB != 768 || *c.Firmware != "uefi" ||
			*c.Placement.Folder != "vm/web" || c.Settings != nil {
			t.Errorf("the clone has %+v", c)
		}
		ci := c.CloudInit
		if ci == nil || ci.Hostname != nil || ci.InstanceID != nil || ci.NetworkConfig != nil || strings.TrimSpace(*ci.MetaData) != "role: web" || *ci.UserData != "#cloud-config\n" || len(ci.SSHKeys) != 1 {
			t.Errorf("the clone's seed is %+v", ci)
		}
		for key, n := range c.Networks {
			if n.IPv4 != nil || *n.MAC == *source.Config.Networks[key].MAC || *n.Network != key {
				t.Errorf("network %q of the clone is %+v", key, n)
			}
		}
		if *c.Networks["lan"].VLAN != 7 {
			t.Error("the VLAN was not inherited")
		}
		for key, d := range c.Disks {
			status := vm.Disks[key]
			if d.Volume != nil || *d.KeepOnDestroy || !status.Owned || status.VolumeID == source.Disks[key].VolumeID ||
				*d.SizeGiB != *source.Config.Disks[key].SizeGiB || (status.Backing != "") != linked {
				t.Errorf("disk %q of the clone is %+v, %+v", key, d, status)
			}
			wantData(t, b, id, key, key+" content")
		}
		if len(c.Disks) != 3 || *c.Disks["data"].Bus != "scsi" || *c.Disks["data"].Storage != "fast" {
			t.Errorf("the clone has the disks %+v", c.Disks)
		}
		if want := map[bool]string{true: "thin", false: "thick"}[linked]; *c.Disks["root"].Provisioning != want {
			t.Errorf("the clone's root is %s, want %s", *c.Disks["root"].Provisioning, want)
		}
		writeData(t, b, id, "root", "its own")
	}
	wantData(t, b, src, "root", "root content")
	sound(t, b)
}

// TestCloneOverrides: a map names all disks and networks, and what one leaves
// open comes from the source's of the same key.
func TestCloneOverrides(t *testing.T) {
	b := open(t, mock.Options{})
	src := golden(t, b)
	id := cloneVM(t, b, &backends.CloneSpec{Source: src, Spec: backends.VMSpec{
		Name: "clone", CPU: backends.CPU{Cores: new(int64(1))}, Placement: backends.PlacementSpec{Storage: new("datastore1")},
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: new(int64(9))}, "data": {Cache: new("writeback")}, "new": {SizeGiB: new(int64(1))},
		},
		Networks:  map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{Address: "192.0.2.6/24"}}},
		CloudInit: &backends.CloudInit{Hostname: new("clone-host")},
	}})
	c := get(t, b, id).Config
	if len(c.Disks) != 3 || *c.Disks["root"].SizeGiB != 9 || *c.Disks["data"].SizeGiB != 6 || *c.Disks["data"].Bus != "scsi" || *c.Disks["data"].Storage != "datastore1" {
		t.Errorf("the clone has the disks %+v", c.Disks)
	}
	if len(c.Networks) != 1 || *c.Networks["lan"].VLAN != 7 || c.Networks["lan"].IPv4.Address != "192.0.2.6/24" {
		t.Errorf("the clone has the networks %+v", c.Networks)
	}
	if *c.CloudInit.Hostname != "clone-host" || *c.CloudInit.UserData != "#cloud-config\n" || *c.CPU.Cores != 1 {
		t.Errorf("the clone has %+v", c)
	}
	wantData(t, b, id, "data", "data content")
	wantData(t, b, id, "new", "")
	_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{
		Name: "small", Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(3))}},
	}})
	wantCode(t, err, backends.Invalid, "too small", "4 GiB")
	_, err = b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{
		Name: "thick", Disks: map[string]backends.Disk{"root": {Provisioning: new("thick")}},
	}})
	wantCode(t, err, backends.Invalid, "thin")
	sound(t, b)
}

// TestLinkedClones: they cost little, keep what they need, and name themselves
// to who would take it away.
func TestLinkedClones(t *testing.T) {
	o := mock.Options{StateFile: filepath.Join(t.TempDir(), "mock.json")}
	b := open(t, o)
	src := create(t, b, spec("source", func(s *backends.VMSpec) {
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(100)), Provisioning: new("thick")}
	}))
	link := func(from backends.ID, name string) backends.ID {
		return cloneVM(t, b, &backends.CloneSpec{Source: from, Linked: true, Spec: backends.VMSpec{Name: name}})
	}
	remove := func(ids ...backends.ID) {
		t.Helper()
		for _, id := range ids {
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const gib = int64(1) << 30
	before := free(t, b, "default")
	one, two := link(src, "one"), link(src, "two")
	if spent := before - free(t, b, "default"); spent != 15*gib { // a base and two layers
		t.Errorf("two linked clones of 100 GiB took %d MiB", spent>>20)
	}
	nested := link(one, "nested")
	b = open(t, o)
	wantCode(t, b.DeleteVM(t.Context(), src, backends.DeleteOptions{}), backends.Precondition, `VM "one"`, `VM "two"`, `VM "nested"`, "Delete")
	wantCode(t, b.DeleteVM(t.Context(), one, backends.DeleteOptions{}), backends.Precondition, `VM "nested"`)
	sound(t, b)
	remove(nested, one)
	wantCode(t, b.DeleteVM(t.Context(), src, backends.DeleteOptions{}), backends.Precondition, `VM "two"`)
	snap(t, b, two, backends.SnapshotSpec{Name: "s"})
	if b.Bases() != 1 {
		t.Errorf("%d bases", b.Bases())
	}
	remove(two)
	if b.Bases() != 0 || free(t, b, "default") != before {
		t.Errorf("%d bases are left, and %d bytes", b.Bases(), before-free(t, b, "default"))
	}
	// A disk that outlives its linked clone still needs the source.
	last := link(src, "last")
	if err := b.DeleteVM(t.Context(), last, backends.DeleteOptions{KeepDisks: []string{"root"}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, b.DeleteVM(t.Context(), src, backends.DeleteOptions{}), backends.Precondition, `disk "last-root"`)
	if err := b.DeleteDisk(t.Context(), "default/"+string(last)+"-root"); err != nil {
		t.Fatal(err)
	}
	remove(src)
	sound(t, b)
}

// TestCloneFromSnapshot: the clone gets what was, not what is.
func TestCloneFromSnapshot(t *testing.T) {
	b := open(t, mock.Options{})
	src := golden(t, b)
	s := snap(t, b, src, backends.SnapshotSpec{Name: "s"})
	writeData(t, b, src, "root", "newer")
	if err := change(t, b, src, backends.Cold, func(s *backends.VMSpec) { s.CPU.Cores = new(int64(8)) }); err != nil {
		t.Fatal(err)
	}
	_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Snapshot: s, Spec: backends.VMSpec{Name: "full"}})
	wantCode(t, err, backends.Precondition, `"vol"`, "by volume")
	only := func(name string) backends.VMSpec {
		return backends.VMSpec{Name: name, Disks: map[string]backends.Disk{"root": {}}}
	}
	full := cloneVM(t, b, &backends.CloneSpec{Source: src, Snapshot: s, Spec: only("full")})
	linked := cloneVM(t, b, &backends.CloneSpec{Source: src, Snapshot: s, Linked: true, Spec: only("linked")})
	for _, id := range []backends.ID{full, linked} {
		wantData(t, b, id, "root", "root content")
		c := get(t, b, id).Config
		if _, there := c.Disks["vol"]; there || *c.CPU.Cores != 3 {
			t.Errorf("the clone has %+v", c)
		}
	}
	if err := b.DeleteSnapshot(t.Context(), src, s, false); err != nil {
		t.Error(err)
	}
	wantData(t, b, linked, "root", "root content")
	sound(t, b)
	_, err = b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Snapshot: s, Spec: backends.VMSpec{Name: "late"}})
	wantCode(t, err, backends.NotFound, s, `"golden"`)
	_, err = b.CloneVM(t.Context(), &backends.CloneSpec{Source: "nope", Spec: backends.VMSpec{Name: "late"}})
	wantCode(t, err, backends.NotFound, "nope")
}

// TestCloneConflicts: a name that is taken, a token that is known, a storage
// that is full: nothing is left and the source is what it was.
func TestCloneConflicts(t *testing.T) {
	b := open(t, mock.Options{})
	src := golden(t, b)
	create(t, b, spec("taken"))
	before := get(t, b, src)
	_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{Name: "taken"}})
	wantCode(t, err, backends.Conflict, `"taken"`, "import")
	mine := &backends.CloneSpec{Source: src, Spec: backends.VMSpec{Name: "mine", CreateToken: "t"}}
	id := cloneVM(t, b, mine)
	if again := cloneVM(t, b, mine); again != id {
		t.Errorf("the same clone again is %s, want %s", again, id)
	}
	for _, linked := range []bool{false, true} {
		got, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{
			Name: "full", Disks: map[string]backends.Disk{"root": {Storage: new("small"), SizeGiB: new(int64(400))}},
		}})
		wantCode(t, err, backends.Exhausted, `"small"`)
		if got != "" {
			t.Errorf("an id came next to the error: %q", got)
		}
	}
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(all) != 3 || b.Bases() != 0 {
		t.Errorf("%d VMs and %d bases (%v)", len(all), b.Bases(), err)
	}
	after := get(t, b, src)
	noDiff(t, after, &before.Config)
	sound(t, b)

	// What fails half-way is there, partial, and its id came next to the error.
	if err := b.Inject(mock.Fault{Operation: "CloneVM.finish", Name: "half", Count: 1}); err != nil {
		t.Fatal(err)
	}
	half := &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{Name: "half", CreateToken: "h"}}
	id, err = b.CloneVM(t.Context(), half)
	wantCode(t, err, backends.Transient)
	if id == "" || get(t, b, id).Status != "creating" {
		t.Fatalf("the clone that failed: %q", id)
	}
	if again := cloneVM(t, b, half); again != id || get(t, b, id).Status == "creating" {
		t.Error("the next try does not end it")
	}
	tasks, err := b.Tasks(t.Context(), backends.TaskFilter{VM: id})
	if err != nil || len(tasks) != 2 || !strings.Contains(tasks[0].Op, "clone") {
		t.Errorf("tasks %+v (%v)", tasks, err)
	}
}

// TestLinkedToImage: VMs may share an image, which then stays.
func TestLinkedToImage(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	id := create(t, b, &backends.VMSpec{Name: "vm", Image: "default/debian-12", Linked: true})
	vm := get(t, b, id)
	if vm.Disks["root"].Backing != "/mock/default/debian-12" {
		t.Errorf("the disk is %+v", vm.Disks["root"])
	}
	clone := cloneVM(t, b, &backends.CloneSpec{Source: id, Linked: true, Spec: backends.VMSpec{Name: "clone"}})
	wantCode(t, b.DeleteImage(t.Context(), "default/debian-12"), backends.Precondition, `VM "vm"`, `VM "clone"`)
	full := cloneVM(t, b, &backends.CloneSpec{Source: clone, Spec: backends.VMSpec{Name: "full"}})
	for _, id := range []backends.ID{clone, id} {
		if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteImage(t.Context(), "default/debian-12"); err != nil {
		t.Error(err)
	}
	if get(t, b, full).Disks["root"].Backing != "" {
		t.Error("a full clone shares its content")
	}
	sound(t, b)
	_, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "alone", Linked: true})
	wantCode(t, err, backends.Invalid, "shared")
}

// TestTemplates: the sample templates are VMs that never run and that others are made of.
func TestTemplates(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	list, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"windows-2022-template"}})
	if err != nil || len(list) != 1 || !list[0].Template {
		t.Fatalf("the template is %+v (%v)", list, err)
	}
	template := list[0].ID
	if vm := get(t, b, template); !vm.Template || vm.Power != backends.Stopped {
		t.Errorf("the template is %+v", vm)
	}
	wantCode(t, b.SetPower(t.Context(), template, backends.PowerOn), backends.Precondition, "template")
	for _, s := range []*backends.VMSpec{
		{Name: "by-name", Template: "windows-2022-template"},
		{Name: "by-id", Template: string(template)},
		{Name: "linked", Template: "windows-2022-template", Linked: true},
	} {
		vm := get(t, b, create(t, b, s))
		if vm.Template || *vm.Config.GuestOS != "windows" || *vm.Config.Disks["root"].SizeGiB != 40 || (vm.Disks["root"].Backing != "") != s.Linked {
			t.Errorf("%s is %+v", s.Name, vm)
		}
	}
	cloneVM(t, b, &backends.CloneSpec{Source: template, Linked: true, Spec: backends.VMSpec{Name: "clone"}})
	if b.Bases() != 1 {
		t.Errorf("%d bases for the same content", b.Bases())
	}
	wantCode(t, b.DeleteVM(t.Context(), template, backends.DeleteOptions{}), backends.Precondition, `VM "linked"`, `VM "clone"`)
	sound(t, b)
}
