package vsphere

import (
	"maps"
	"testing"

	"github.com/vmware/govmomi/object"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func (r *rig) attributes(id backends.ID) map[string]string {
	r.t.Helper()
	o := r.read(id).Config.VSphere
	if o == nil {
		r.t.Fatal("the VM tells no options of vSphere")
	}
	return o.CustomAttributes
}

func TestCustomAttributes(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.VSphere = &backends.VSphereOptions{CustomAttributes: map[string]string{"owner": "blue", r.sim.Seed.Attribute: "one"}}
	id := r.create(spec)
	r.matches(id, spec)
	for _, want := range []map[string]string{
		{"owner": "green", r.sim.Seed.Attribute: "one"},
		{"cost center": "42"},
		{"cost center": ""},
		{},
	} {
		if err := r.change(id, backends.Live, func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{CustomAttributes: want}
		}); err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		if got := r.attributes(id); !maps.Equal(got, want) {
			t.Errorf("the VM has %v, want %v", got, want)
		}
	}
	// What others set is theirs.
	fields, err := object.GetCustomFieldsManager(r.conn.VIM())
	if err != nil {
		t.Fatal(err)
	}
	key, err := fields.FindKey(r.ctx, "owner")
	if err != nil {
		t.Fatal(err)
	}
	if err := fields.Set(r.ctx, reference(id), key, "somebody"); err != nil {
		t.Fatal(err)
	}
	if got := r.attributes(id); len(got) != 0 {
		t.Errorf("what was not asked for is told: %v", got)
	}
	if err := r.change(id, backends.Live, func(s *backends.VMSpec) {
		s.VSphere = &backends.VSphereOptions{CustomAttributes: map[string]string{"cost center": "43"}}
	}); err != nil {
		t.Fatal(err)
	}
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.attributes(); !maps.Equal(got, map[string]string{"owner": "somebody", "cost center": "43"}) {
		t.Errorf("the VM has %v", got)
	}
}

func TestCustomAttributesWithoutPrivilege(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	for privilege, name := range map[string]string{"Global.ManageCustomFields": "undefined", "Global.SetCustomField": r.sim.Seed.Attribute} {
		r.sim.Revoke(privilege, "")
		err := r.change(id, backends.Live, func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{CustomAttributes: map[string]string{name: "x"}}
		})
		wantBlamed(t, err, backends.Auth, "vsphere.custom_attributes", privilege, name)
		r.sim.Grant()
	}
}
