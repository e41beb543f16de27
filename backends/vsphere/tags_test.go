package vsphere

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vmware/govmomi/vapi/tags"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// tagged creates a VM with tags.
func (r *rig) tagged(name string, words ...string) backends.ID {
	r.t.Helper()
	spec := r.spec(name)
	spec.Tags = words
	return r.create(spec)
}

func (r *rig) manager() *tags.Manager {
	r.t.Helper()
	client, err := r.conn.REST(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return tags.NewManager(client)
}

// rests counts the calls of the REST API whose path has a word in it.
func (r *rig) rests(word string) int {
	n := 0
	for path, calls := range r.sim.Calls() {
		if strings.Contains(path, "/") && strings.Contains(path, word) {
			n += calls
		}
	}
	return n
}

func TestTags(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	if got := r.read(id).Config.Tags; got == nil || len(got) != 0 {
		t.Errorf("a VM without tags has %#v, want none, and known", got)
	}
	seed := r.sim.Seed
	for _, want := range [][]string{
		{"prod"},
		{"prod", "web"},
		{"web", "team/blue", "region:north"}, // neither the categories nor the tags exist
		{"web", "team:blue", "region/north"}, // the same in other words
		{seed.TagCategory + "/" + seed.Tags[0], "prod"},
		{seed.TagCategory + "/" + seed.Tags[1], "prod"}, // of which a VM has one only
		{},
		{"prod", "prod"},
	} {
		if err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = want }); err != nil {
			t.Fatalf("%q: %v", want, err)
		}
		r.matches(id, &backends.VMSpec{Name: "web", Tags: want})
		sorted := slices.Compact(slices.Sorted(slices.Values(want)))
		if got := r.read(id).Config.Tags; !slices.Equal(got, sorted) {
			t.Errorf("the VM has %q, want %q", got, sorted)
		}
	}
	all, err := r.manager().GetCategories(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, c := range all {
		names[c.Name]++
		if c.Name == "virtrigaud" && (c.Cardinality != "MULTIPLE" || !slices.Equal(c.AssociableTypes, []string{"VirtualMachine"})) {
			t.Errorf("the category of plain words is %+v", c)
		}
	}
	for _, name := range []string{"virtrigaud", "team", "region"} {
		if names[name] != 1 {
			t.Errorf("there are %d categories %q", names[name], name)
		}
	}
	if list, err := r.ListVMs(r.ctx, backends.VMFilter{Tags: []string{"prod"}}); err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("the VMs with the tag are %+v (%v)", list, err)
	}
}

// What others attach is told by category and name, and what they take away too.
func TestTagsOfOthers(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.tagged("web", "prod")
	m := r.manager()
	category, err := m.CreateCategory(r.ctx, &tags.Category{Name: "cost center", Cardinality: "MULTIPLE", AssociableTypes: []string{"VirtualMachine"}})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := m.CreateTag(r.ctx, &tags.Tag{Name: "a/b:c", CategoryID: category})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AttachTag(r.ctx, tag, reference(id)); err != nil {
		t.Fatal(err)
	}
	const told = "cost center:a/b:c"
	if got := r.read(id).Config.Tags; !slices.Equal(got, []string{told, "prod"}) {
		t.Errorf("the VM has %q", got)
	}
	other := r.tagged("other", told) // what is told can be asked for
	if err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{"prod"} }); err != nil {
		t.Fatal(err)
	}
	if got := r.read(id).Config.Tags; !slices.Equal(got, []string{"prod"}) {
		t.Errorf("the VM has %q", got)
	}
	if ids, err := m.ListTagsForCategory(r.ctx, category); err != nil || len(ids) != 1 {
		t.Errorf("the category has %q (%v)", ids, err)
	}
	// A tag that is deleted and asked for again is made again.
	if err := m.DeleteTag(r.ctx, &tags.Tag{ID: tag}); err != nil {
		t.Fatal(err)
	}
	if got := r.read(other).Config.Tags; len(got) != 0 {
		t.Errorf("after its tag was deleted the VM has %q", got)
	}
	if err := r.change(other, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{told} }); err != nil {
		t.Fatal(err)
	}
	r.matches(other, &backends.VMSpec{Name: "other", Tags: []string{told}})
}

// One call reads the tags of all VMs, and one attaches what differs.
func TestTagCalls(t *testing.T) {
	r := newRig(t, vcsim.Options{VMs: 60})
	id := r.tagged("web", "prod", "team/blue")
	all, err := r.ListVMs(r.ctx, backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []backends.ID
	for _, vm := range all {
		ids = append(ids, vm.ID)
	}
	r.sim.ResetCalls()
	if _, err := r.GetVMs(r.ctx, ids, backends.AspectConfig); err != nil {
		t.Fatal(err)
	}
	if n := r.rests("tag"); n != 1 {
		t.Errorf("the tags of %d VMs took %d calls: %v", len(ids), n, r.sim.Calls())
	}
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		want  []string
		calls int // to look at what there is, to attach, to take away
	}{{[]string{"prod", "team/blue"}, 1}, {[]string{"team/blue"}, 2}, {[]string{"prod"}, 3}, {[]string{"team/blue", "prod"}, 2}} {
		r.sim.ResetCalls()
		if err := r.setTags(r.ctx, m, step.want); err != nil {
			t.Fatal(err)
		}
		if n := r.rests("tag"); n != step.calls {
			t.Errorf("setting %q took %d calls, want %d: %v", step.want, n, step.calls, r.sim.Calls())
		}
	}
}

// VMs that are made at once and want the same new tags share them.
func TestTagsAtOnce(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	var all sync.WaitGroup
	ids := make([]backends.ID, 12)
	for i := range ids {
		all.Go(func() {
			spec := r.spec(fmt.Sprintf("web-%d", i))
			spec.Tags = []string{"new", "fleet/one"}
			id, err := r.CreateVM(r.ctx, spec)
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	all.Wait()
	for _, id := range ids {
		if got := r.read(id).Config.Tags; !slices.Equal(got, []string{"fleet/one", "new"}) {
			t.Errorf("VM %s has %q", id, got)
		}
	}
}

// Without the privilege to read tags VMs are read all the same, and writing names the privilege.
func TestTagsWithoutPrivilege(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.tagged("web", "prod")
	r.sim.Revoke("InventoryService.Tagging.CreateTag", "")
	err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{"prod", "brand-new"} })
	wantBlamed(t, err, backends.Auth, "tags", "InventoryService.Tagging.CreateTag", "brand-new", `VM "web"`)
	r.sim.Grant()
	r.sim.Revoke("InventoryService.Tagging.CreateCategory", "")
	err = r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{"nobody/has-it"} })
	wantBlamed(t, err, backends.Auth, "tags", "InventoryService.Tagging.CreateCategory", "nobody")
	r.sim.Grant()
	r.sim.Revoke("InventoryService.Tagging.AttachTag", "")
	for _, want := range [][]string{{}, {"prod", "brand-new"}} {
		err = r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = want })
		wantBlamed(t, err, backends.Auth, "tags", "InventoryService.Tagging.AttachTag")
	}
	r.sim.Revoke("System.Read", "")
	if vm := r.read(id); vm.Config.Name != "web" || vm.Config.Tags != nil {
		t.Errorf("where tags cannot be read, the VM has %#v, want nil: not known", vm.Config.Tags)
	}
}

func TestTagsRefused(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	c, all := r.sim.Seed.TagCategory, r.sim.Seed.Tags
	err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{c + "/" + all[0], c + "/" + all[1]} })
	wantBlamed(t, err, backends.Invalid, "tags", c, all[0], all[1], "one tag only")
}

// An ESXi has no tags; there they are in the mark.
func TestTagsESXi(t *testing.T) {
	r := newRig(t, vcsim.Options{ESXi: true})
	id := r.tagged("web", "prod", "env/test", "prod")
	r.matches(id, &backends.VMSpec{Name: "web", Tags: []string{"env/test", "prod"}})
	for _, want := range [][]string{{"a", "b:c"}, {}} {
		if err := r.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = want }); err != nil {
			t.Fatal(err)
		}
		if got := r.read(id).Config.Tags; !slices.Equal(got, want) {
			t.Errorf("the VM has %q, want %q", got, want)
		}
	}
	if n := r.rests("/"); n != 0 {
		t.Errorf("%d calls of the REST API, which an ESXi does not have", n)
	}
}
