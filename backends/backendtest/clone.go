package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

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
	data := backends.Disk{SizeGiB: new(int64(2))}
	if e.has("disks.discard") {
		data.Discard = new(true)
	}
	spec = withDisk(spec, "data", data)
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
	if from.Proxmox != nil {
		p := *from.Proxmox
		p.VMID = nil
		s.Proxmox = &p
	}
	if from.Console != nil {
		c := *from.Console
		if c.PasswordVersion != nil {
			c.Address = nil // nobody would be asked for a password there
		}
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

// linkSource is what linked clones of a VM are made of: the VM itself or, where only templates have linked clones, a template of it.
func (e *Env) linkSource(t *testing.T, src backends.ID) backends.ID {
	t.Helper()
	if !e.Traits.LinkedTemplates {
		return src
	}
	err := e.refuseClone(t, backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{Name: e.Name()}}, backends.Precondition)
	wantPath(t, err, "linked")
	return backends.ID(e.template(t, src).ID)
}
