package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var templateCases = []Case{
	{
		Name:   "templates/from_vm",
		Proves: []backends.Feature{backends.FeatureImageFromVM, backends.FeatureTemplateDeployment},
		Run:    templateFromVM,
	},
	{
		Name:   "templates/linked",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Needs:  []backends.Feature{backends.FeatureImageFromVM, backends.FeatureTemplateDeployment},
		Run:    linkedToTemplate,
	},
	{
		Name:   "templates/clone",
		Proves: []backends.Feature{backends.FeatureClone},
		Needs:  []backends.Feature{backends.FeatureImageFromVM, backends.FeatureFullClone},
		Run:    cloneOfTemplate,
	},
	{
		Name:   "templates/ordinary_vm",
		Proves: []backends.Feature{backends.FeatureTemplateDeployment},
		Run:    ordinaryTemplate,
	},
	{
		Name:   "templates/refused",
		Proves: []backends.Feature{backends.FeatureImageFromVM},
		Run:    templateRefused,
	},
	{
		Name:   "images/disk_of_vm",
		Proves: []backends.Feature{backends.FeatureImageFromVM},
		Run:    imageOfVM,
	},
	{
		Name:   "images/guest_disk",
		Proves: []backends.Feature{backends.FeatureImageFromVM, backends.FeatureImageConversion},
		Lacks:  lacksRealGuest, Run: imageOfGuest,
	},
}

// template makes one of a VM; it is deleted when the test ends.
func (e *Env) template(t *testing.T, src backends.ID) backends.Image {
	t.Helper()
	before := e.Read(t, src, all)
	im := e.importLater(t, e.imageSpec("template", ""), backends.ImageSource{VM: src})
	e.unchanged(t, src, before)
	return im
}

func templateFromVM(t *testing.T, e *Env) {
	from := e.source()
	src := e.Create(t, from)
	im := e.template(t, src)
	id := backends.ID(im.ID)
	if im.Kind != "template" || id == src {
		t.Errorf("the image is %+v, want a template beside its VM %s", im, src)
	}
	if got, err := e.GetImage(e.Ctx(t), im.ID); err != nil || got.Name != im.Name || got.Kind != "template" || got.ID != im.ID {
		t.Errorf("GetImage answers %+v (%v), the import %+v", got, err, im)
	}
	if !e.hasImage(t, "", im.Name) {
		t.Error("the template is not listed among the images")
	}
	vm := e.Read(t, id, all)
	if !vm.Template || vm.Power != backends.Stopped || vm.Config.Name != im.Name {
		t.Errorf("the template is VM %q, %s, a template: %t", vm.Config.Name, vm.Power, vm.Template)
	}
	list, err := e.ListVMs(e.Ctx(t), backends.VMFilter{Names: []string{im.Name, from.Name}})
	if err != nil || len(list) != 2 {
		t.Fatalf("ListVMs: %+v (%v)", list, err)
	}
	for _, s := range list {
		if s.Template != (s.ID == id) {
			t.Errorf("the list says %+v", s)
		}
	}
	WantCode(t, e.SetPower(e.Ctx(t), id, backends.PowerOn), backends.Precondition)
	e.InState(t, id, backends.Stopped)

	// VMs of it, by id and by name; it lives without its source.
	e.remove(t, src)
	for _, ref := range []string{im.ID, im.Name} {
		spec := &backends.VMSpec{Name: e.Name(), Template: ref, Memory: backends.Memory{SizeMiB: new(int64(320))}}
		made := e.Create(t, spec)
		want := inherited(from, spec.Name, false)
		want.Memory = spec.Memory
		e.Matches(t, made, want)
		if vm := e.Read(t, made, all); vm.Template || vm.Disks["data"].SizeBytes != 2*gib {
			t.Errorf("the VM of %q is a template: %t, with the disks %+v", ref, vm.Template, vm.Disks)
		}
		e.apart(t, vm, e.Read(t, made, all))
		e.Power(t, made, backends.PowerOn)
	}
	owned := e.volumes(t, id)
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Fatalf("DeleteImage of a template whose VMs have copies: %v", err)
	}
	e.Gone(t, id)
	e.lost(t, owned)
	WantCode(t, e.DeleteImage(e.Ctx(t), im.ID), backends.NotFound)
}

// linkedToTemplate: a template stays while VMs share its content.
func linkedToTemplate(t *testing.T, e *Env) {
	from := e.layered()
	im := e.template(t, e.Create(t, from))
	spec := &backends.VMSpec{Name: e.Name(), Template: im.ID, Linked: true}
	a := e.Create(t, spec)
	e.Matches(t, a, inherited(from, spec.Name, true))
	name := e.Name()
	b := e.clone(t, backends.CloneSpec{Source: backends.ID(im.ID), Linked: true, Spec: backends.VMSpec{Name: name}})
	for _, id := range []backends.ID{a, b} {
		if d := e.Read(t, id, all).Disks["root"]; d.Backing == "" {
			t.Errorf("the disk shares nothing: %+v", d)
		}
		e.Power(t, id, backends.PowerOn)
	}
	refused := func(names ...string) {
		t.Helper()
		err := WantCode(t, e.DeleteImage(e.Ctx(t), im.ID), backends.Precondition)
		for _, name := range names {
			wantNamed(t, err, name)
		}
	}
	refused(spec.Name, name)
	e.remove(t, a)
	refused(name)
	e.remove(t, b)
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Fatalf("DeleteImage of a template that nobody needs any more: %v", err)
	}
	e.Gone(t, backends.ID(im.ID))
}

func cloneOfTemplate(t *testing.T, e *Env) {
	from := e.source()
	im := e.template(t, e.Create(t, from))
	name := e.Name()
	id := e.clone(t, backends.CloneSpec{Source: backends.ID(im.ID), Spec: backends.VMSpec{Name: name}})
	e.Matches(t, id, inherited(from, name, false))
	e.Power(t, id, backends.PowerOn)
}

// ordinaryTemplate makes a VM from one that is no template.
func ordinaryTemplate(t *testing.T, e *Env) {
	from := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))})
	src := e.Create(t, from)
	before := e.Read(t, src, all)
	for _, ref := range []string{string(src), from.Name} {
		spec := &backends.VMSpec{Name: e.Name(), Template: ref}
		id := e.Create(t, spec)
		e.Matches(t, id, inherited(from, spec.Name, false))
	}
	e.unchanged(t, src, before)
	small := &backends.VMSpec{Name: e.Name(), Template: from.Name, Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(0))}}}
	wantPath(t, e.refuseCreate(t, small, backends.Invalid), `disks["root"].size_gib`)
	missing := &backends.VMSpec{Name: e.Name(), Template: "no-such-template"}
	err := e.refuseCreate(t, missing, backends.NotFound)
	wantPath(t, err, "template")
	wantNamed(t, err, missing.Template)
}

func templateRefused(t *testing.T, e *Env) {
	from := e.Spec()
	src := e.Create(t, from)
	before := e.Read(t, src, all)
	for _, kind := range []string{"template", "disk"} {
		spec := e.imageSpec(kind, "")
		err := WantCode(t, e.refuseImport(t, spec, backends.ImageSource{VM: e.Seed.MissingVM}), backends.NotFound)
		wantNamed(t, err, string(e.Seed.MissingVM))
		e.noTrace(t, spec.Name)
	}
	taken := e.imageSpec("template", "")
	taken.Name = from.Name // a template is a VM, so the VM has its name
	_, err := e.ImportImage(e.Ctx(t), taken, backends.ImageSource{VM: src})
	wantNamed(t, WantCode(t, err, backends.Conflict), from.Name)
	im := e.template(t, src)
	spec := e.Spec()
	spec.Name = im.Name
	e.refuseCreate(t, spec, backends.Conflict)
	e.unchanged(t, src, before)
}

// imageOfVM copies the root disk of a VM, running or not, into an image.
func imageOfVM(t *testing.T, e *Env) {
	src := e.Create(t, withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(2))}))
	for _, action := range []backends.PowerAction{backends.PowerOff, backends.PowerOn} {
		e.Power(t, src, action)
		before := e.Read(t, src, all)
		spec := e.imageSpec("disk", "")
		im := e.importLater(t, spec, backends.ImageSource{VM: src})
		e.unchanged(t, src, before)
		if got, err := e.GetImage(e.Ctx(t), im.ID); err != nil || got.Name != spec.Name || got.Kind != "disk" || got.SizeBytes != gib {
			t.Errorf("the image of the disk is %+v (%v), want a disk of 1 GiB called %q", got, err, spec.Name)
		}
		e.Power(t, e.Create(t, e.With(func(s *backends.VMSpec) { s.Image = im.ID })), backends.PowerOn)
	}
}

// imageOfGuest copies a guest's disk into an image of another format: what is made
// from it boots.
func imageOfGuest(t *testing.T, e *Env) {
	src := e.Create(t, e.guestSpec(t))
	for _, format := range e.Catalogue.Accepts["disks.format"] {
		spec := e.imageSpec("disk", "")
		spec.Format = &format
		im := e.importLater(t, spec, backends.ImageSource{VM: src})
		if im.Format != format {
			t.Errorf("the image has the format %q, want %q", im.Format, format)
		}
		guest := e.guestSpec(t)
		guest.Image = im.ID
		id := e.Create(t, guest)
		e.bootGuest(t, id)
		e.remove(t, id)
	}
}
