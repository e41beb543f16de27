package vsphere

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// change makes the VM what to says, in the state that it is in, and returns the error.
func (r *rig) change(id backends.ID, mode backends.ReconfigureMode, set func(*backends.VMSpec)) error {
	r.t.Helper()
	from := r.read(id).Config
	to := from
	to.Disks = map[string]backends.Disk{}
	for key, d := range from.Disks {
		to.Disks[key] = d
	}
	set(&to)
	return r.Reconfigure(r.ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&from, &to), Mode: mode})
}

// moved changes the VM and holds it against what was asked for.
func (r *rig) moved(id backends.ID, mode backends.ReconfigureMode, set func(*backends.VMSpec)) *backends.VM {
	r.t.Helper()
	before := r.read(id)
	if err := r.change(id, mode, set); err != nil {
		r.t.Fatal(err)
	}
	want := before.Config
	want.Disks = map[string]backends.Disk{}
	for key, d := range before.Config.Disks {
		d.Slot = nil
		want.Disks[key] = d
	}
	want.Placement = backends.PlacementSpec{}
	set(&want)
	r.matches(id, &want)
	after := r.read(id)
	if after.Power != before.Power {
		r.t.Errorf("the VM was %s and is %s", before.Power, after.Power)
	}
	return after
}

func (r *rig) disk(id backends.ID, key string) string {
	r.t.Helper()
	return flatBacking(r.device(id, key)).FileName
}

// wantBlamed fails the test unless err has the code and the path, and tells all of words.
func wantBlamed(t *testing.T, err error, code backends.Code, path backends.Path, words ...string) {
	t.Helper()
	if backends.CodeOf(err) != code {
		t.Fatalf("the error is %v (%q), want one of code %q", err, backends.CodeOf(err), code)
	}
	e, _ := err.(*backends.Error)
	if e.Path != path {
		t.Errorf("the error blames %q, want %q: %v", e.Path, path, err)
	}
	for _, w := range words {
		if text := err.Error() + " " + e.Remedy; !strings.Contains(text, w) {
			t.Errorf("the error does not tell %q: %s", w, text)
		}
	}
}

// A host, a cluster, a pool and a folder are changed in place: while the VM runs, and by any way of writing them.
func TestMoves(t *testing.T) {
	for _, running := range []bool{true, false} {
		r := newRig(t, vcsim.Options{})
		spec := r.spec("web")
		spec.Placement.Host = new("esx-a1")
		id := r.create(spec)
		mode := backends.Cold
		if running {
			r.power(id, backends.PowerOn)
			mode = backends.Live
		}
		for _, step := range []struct {
			where  backends.PlacementSpec
			call   string
			host   string // "" is any of its cluster
			others backends.PlacementSpec
		}{
			{backends.PlacementSpec{Host: new("esx-a2")}, "RelocateVM_Task", "esx-a2", backends.PlacementSpec{Cluster: new("cluster-a")}},
			{backends.PlacementSpec{Host: new("cluster-a/esx-a1")}, "RelocateVM_Task", "esx-a1", backends.PlacementSpec{}},
			{backends.PlacementSpec{Host: new("/DC0/host/cluster-a/esx-a1")}, "", "esx-a1", backends.PlacementSpec{}},
			{backends.PlacementSpec{ResourcePool: new("production/web")}, "MoveIntoResourcePool", "esx-a1", backends.PlacementSpec{}},
			{backends.PlacementSpec{Folder: new("prod/web")}, "MoveIntoFolder_Task", "esx-a1", backends.PlacementSpec{}},
			{backends.PlacementSpec{Folder: new("prod"), Host: new("esx-a2")}, "RelocateVM_Task", "esx-a2", backends.PlacementSpec{ResourcePool: new("production/web")}},
			{backends.PlacementSpec{Cluster: new("cluster-b")}, "RelocateVM_Task", "", backends.PlacementSpec{ResourcePool: new("/DC0/host/cluster-b/Resources"), Folder: new("prod")}},
			{backends.PlacementSpec{Host: new("esx-c1")}, "RelocateVM_Task", "esx-c1", backends.PlacementSpec{ResourcePool: new("/DC0/host/esx-c1/Resources")}},
			{backends.PlacementSpec{ResourcePool: new("production")}, "RelocateVM_Task", "", backends.PlacementSpec{Cluster: new("cluster-a")}},
		} {
			r.sim.ResetCalls()
			vm := r.moved(id, mode, func(s *backends.VMSpec) { place(&s.Placement, step.where) })
			if step.host != "" && vm.Host != step.host {
				t.Errorf("%s: the VM is on %q, want %q", words(step.where), vm.Host, step.host)
			}
			for _, c := range backends.Diff(&vm.Config, &backends.VMSpec{Placement: step.others}) {
				t.Errorf("%s: left to %s", words(step.where), c)
			}
			calls := r.sim.Calls()
			for _, m := range []string{"RelocateVM_Task", "MoveIntoResourcePool", "MoveIntoFolder_Task"} {
				if want := map[bool]int{true: 1}[m == step.call]; calls[m] != want {
					t.Errorf("%s took %d calls of %s, want %d", words(step.where), calls[m], m, want)
				}
			}
		}
	}
}

// place sets what to has.
func place(p *backends.PlacementSpec, to backends.PlacementSpec) {
	for _, f := range []struct {
		at   **string
		want *string
	}{{&p.Host, to.Host}, {&p.Cluster, to.Cluster}, {&p.ResourcePool, to.ResourcePool}, {&p.Folder, to.Folder}, {&p.Storage, to.Storage}} {
		if f.want != nil {
			*f.at = f.want
		}
	}
}

func words(p backends.PlacementSpec) string {
	var all []string
	for _, c := range backends.Diff(&backends.VMSpec{}, &backends.VMSpec{Placement: p}) {
		all = append(all, c.String())
	}
	return strings.Join(all, ", ")
}

// A VM that DRS or somebody else moved goes back where its host is asked for, and stays where it is not.
func TestMovedByOthers(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Placement.Host = new("esx-a1")
	pinned, free := r.create(spec), r.create(r.spec("free"))
	for _, id := range []backends.ID{pinned, free} {
		r.power(id, backends.PowerOn)
		r.vMotion(id, types.VirtualMachineRelocateSpec{Host: r.ref(inventory.Host, "esx-a2")})
	}
	vm := r.read(pinned)
	changes := backends.Diff(&vm.Config, spec)
	if len(changes) != 1 || changes[0].Path != "placement.host" || vm.Host != "esx-a2" {
		t.Fatalf("on %s, the next plan has %v", vm.Host, changes)
	}
	if got := r.catalogue().ImpactOf(&vm.Config, spec, changes[0]); got.Effect != backends.EffectLive {
		t.Errorf("going back would be %+v", got)
	}
	if err := r.Reconfigure(r.ctx, pinned, backends.Reconfiguration{Desired: spec, Changes: changes}); err != nil {
		t.Fatal(err)
	}
	r.matches(pinned, spec)
	if vm := r.read(pinned); vm.Host != "esx-a1" || vm.Power != backends.Running {
		t.Errorf("the VM is %s on %s", vm.Power, vm.Host)
	}
	r.matches(free, r.spec("free"))
}

// ref finds an object of the inventory.
func (r *rig) ref(kind inventory.Kind, name string) *types.ManagedObjectReference {
	r.t.Helper()
	o, err := r.inv.Find(r.ctx, kind, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return &o.Ref
}

// vMotion relocates a VM as somebody else would.
func (r *rig) vMotion(id backends.ID, spec types.VirtualMachineRelocateSpec) {
	r.t.Helper()
	task, err := object.NewVirtualMachine(r.conn.VIM(), reference(id)).Relocate(r.ctx, spec, types.VirtualMachineMovePriorityDefaultPriority)
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestMovesRefused(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Placement.Host = new("esx-b1")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local-b1")}
	spec.Networks["local"] = backends.NIC{Network: new("Local Network")}
	id := r.create(spec)
	wired := r.spec("wired")
	wired.Placement.Host = new("esx-b1")
	wired.Networks["local"] = backends.NIC{Network: new("Local Network")}
	wiredID := r.create(wired)
	r.power(id, backends.PowerOn)
	for _, test := range []struct {
		id    backends.ID
		set   func(*backends.VMSpec)
		code  backends.Code
		path  backends.Path
		words []string
	}{
		{id, func(s *backends.VMSpec) { s.Placement.Host = new("esx-b9") }, backends.NotFound, "placement.host", []string{"esx-b9", `"esx-b1"`}},
		{id, func(s *backends.VMSpec) { s.Placement.Host = new("esx-b2") }, backends.Precondition, "placement.host", []string{"local-b1", "esx-b2", "storage"}},
		{wiredID, func(s *backends.VMSpec) { s.Placement.Host = new("esx-b2") }, backends.Precondition, "placement.host", []string{"Local Network", "esx-b2"}},
		{id, func(s *backends.VMSpec) { s.Placement.Cluster = new("cluster-a") }, backends.Precondition, "placement.cluster", []string{"cluster-a"}},
		{id, func(s *backends.VMSpec) { s.Placement.Host, s.Placement.Cluster = new("esx-b2"), new("cluster-a") }, backends.Invalid, "placement.host", []string{"esx-b2", "cluster-a"}},
		{id, func(s *backends.VMSpec) { s.Placement.Folder = new("/DC1/vm/prod") }, backends.Invalid, "placement.folder", []string{"/DC1/vm/prod"}},
		{id, func(s *backends.VMSpec) { s.Placement.ResourcePool = new("nowhere") }, backends.NotFound, "placement.resource_pool", []string{"nowhere"}},
		{wiredID, disk("root", func(d *backends.Disk) { d.Storage = new("nowhere") }), backends.NotFound, `disks["root"].storage`, []string{"nowhere"}},
		{wiredID, disk("root", func(d *backends.Disk) { d.Storage = new("/DC1/datastore/datastore-d") }), backends.Invalid, `disks["root"].storage`, []string{"another datacenter"}},
	} {
		before := r.read(test.id)
		err := r.change(test.id, backends.Live, test.set)
		wantBlamed(t, err, test.code, test.path, test.words...)
		t.Log(err)
		if after := r.read(test.id); after.Host != before.Host || len(backends.Diff(&after.Config, &before.Config)) > 0 {
			t.Errorf("after a refusal the VM is not as it was: %v", backends.Diff(&after.Config, &before.Config))
		}
	}
}

// disk sets a disk's options.
func disk(key string, set func(*backends.Disk)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) {
		d := s.Disks[key]
		set(&d)
		s.Disks[key] = d
	}
}

func TestMigrate(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.write(id, "data", "mine")
	r.power(id, backends.PowerOn)
	for _, to := range []backends.PlacementSpec{
		{Host: new("esx-a2")},
		{Host: new("esx-a2")},
		{Cluster: new("cluster-b")},
		{Host: new("esx-a1"), Storage: new("fast"), Folder: new("prod/web")},
		{Storage: new("pod")},
		{Storage: new("pod")},
	} {
		if err := r.Migrate(r.ctx, id, to); err != nil {
			t.Fatalf("%s: %v", words(to), err)
		}
		r.matches(id, &backends.VMSpec{Name: "web", Placement: to})
	}
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{r.disk(id, "root"), r.disk(id, "data"), m.Config.Files.VmPathName}
	if slices.ContainsFunc(files, func(f string) bool { return !strings.HasPrefix(f, "[pod-a] ") }) {
		t.Errorf("the VM's files are %v", files)
	}
	r.holds(id, "data", "mine")
	err = r.Migrate(r.ctx, id, backends.PlacementSpec{Host: new("no-such-host")})
	wantBlamed(t, err, backends.NotFound, "placement.host", "no-such-host", `VM "web"`)

	template := r.templateRef()
	before := r.read(template)
	if err := r.Migrate(r.ctx, template, backends.PlacementSpec{Folder: new("prod"), Host: new("esx-b1")}); err != nil {
		t.Fatalf("a template: %v", err)
	}
	if vm := r.read(template); !vm.Template || vm.Host != "esx-b1" || *vm.Config.Placement.Folder != "prod" {
		t.Errorf("the template was %+v and is %+v", before.Config.Placement, vm.Config.Placement)
	}
	err = r.Migrate(r.ctx, template, backends.PlacementSpec{ResourcePool: new("production")})
	wantBlamed(t, err, backends.Invalid, "placement.resource_pool", "template")
}

func (r *rig) templateRef() backends.ID {
	r.t.Helper()
	list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: []string{r.sim.Seed.Template}})
	if err != nil || len(list) != 1 {
		r.t.Fatalf("the template is %+v (%v)", list, err)
	}
	return list[0].ID
}

func TestMigrateESXi(t *testing.T) {
	r := newRig(t, vcsim.Options{ESXi: true})
	id := r.create(r.spec("web"))
	err := r.Migrate(r.ctx, id, backends.PlacementSpec{Host: new("other")})
	wantBlamed(t, err, backends.Unsupported, "", "nowhere")
	if p := r.read(id).Config.Placement; p.Host != nil || p.Folder != nil || p.Cluster != nil {
		t.Errorf("a VM on an ESXi has the placement %+v", p)
	}
}

// What vSphere says of a move that fails is told with the attribute, and the VM is where it was.
func TestMoveFails(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Placement.Host = new("esx-a1")
	id := r.create(spec)
	r.power(id, backends.PowerOn)
	for _, test := range []struct {
		fault types.BaseMethodFault
		code  backends.Code
		path  backends.Path
	}{
		{&types.InsufficientMemoryResourcesFault{}, backends.Exhausted, "placement.host"},
		{&types.VMotionNotConfigured{}, backends.Precondition, "placement.host"},
	} {
		r.sim.FailTask("RelocateVM_Task", "web", test.fault, 1)
		err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Placement.Host = new("esx-a2") })
		wantBlamed(t, err, test.code, test.path, `VM "web"`)
		r.matches(id, spec)
	}
	// Another task holds the VM for a moment.
	r.sim.FailTask("RelocateVM_Task", "web", &types.TaskInProgress{}, 1)
	r.moved(id, backends.Live, func(s *backends.VMSpec) { s.Placement.Host = new("esx-a2") })
	r.sim.Revoke("Resource.HotMigrate", "")
	err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Placement.Host = new("esx-a1") })
	wantBlamed(t, err, backends.Auth, "placement.host", "Resource.HotMigrate")
}
