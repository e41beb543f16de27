package libvirt

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestLinkedClones shares the disks of a stopped VM, of which one is raw, with clones in another pool.
// The source goes on apart from them, cannot be deleted, and is as it was after the last one.
func TestLinkedClones(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.DirPool(t, "copies")
	spec := blank("source")
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1)), Format: ptr("raw")}
	source := create(t, b, spec)
	scribble(t, l, b, source, "root", "0xaa")
	scribble(t, l, b, source, "data", "0xbb")
	volumes := l.Volumes(t, "default")

	ids := make([]backends.ID, 2)
	var wave sync.WaitGroup
	for i, name := range []string{"one", "two"} {
		wave.Go(func() {
			id, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: name, Placement: backends.PlacementSpec{Storage: ptr("copies")}}})
			deleteLater(t, b, id)
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	wave.Wait()
	if t.Failed() {
		return
	}
	one, two := ids[0], ids[1]
	if now := l.Volumes(t, "default"); len(now) != len(volumes)+2 {
		t.Errorf("two clones made the source's volumes %v into %v, want one layer for each disk", volumes, now)
	}
	same(t, b, source, source)
	for _, key := range []string{"root", "data"} {
		if s := get(t, b, one).Disks[key]; s.Backing == "" || !slices.Contains(volumes, strings.TrimPrefix(s.Backing, "default/")) {
			t.Errorf("the clone's disk %q shares %q, want one of %v", key, s.Backing, volumes)
		}
	}
	reads(t, l, b, one, "root", "0xaa")
	reads(t, l, b, one, "data", "0xbb")
	scribble(t, l, b, source, "root", "0x11")
	scribble(t, l, b, one, "root", "0x22")
	reads(t, l, b, two, "root", "0xaa")
	reads(t, l, b, source, "root", "0x11")
	for _, id := range []backends.ID{source, one, two} {
		power(t, b, id, backends.PowerOn)
	}
	for _, id := range []backends.ID{source, one, two} {
		power(t, b, id, backends.PowerOff)
	}

	err := b.DeleteVM(t.Context(), source, backends.DeleteOptions{})
	if e := wantCode(t, err, backends.Precondition); !strings.Contains(e.Error(), `"one"`) || !strings.Contains(e.Error(), `"two"`) {
		t.Errorf("the refusal does not name the clones: %v", e)
	}
	reads(t, l, b, source, "root", "0x11")

	// A clone of a clone, and a full copy of one.
	grandchild := clone(t, b, &backends.CloneSpec{Source: one, Linked: true, Spec: backends.VMSpec{Name: "grandchild"}})
	flat := clone(t, b, &backends.CloneSpec{Source: one, Spec: backends.VMSpec{Name: "flat"}})
	reads(t, l, b, grandchild, "root", "0x22")
	reads(t, l, b, flat, "data", "0xbb")
	if s := get(t, b, flat).Disks["root"]; s.Backing != "" {
		t.Errorf("the full copy shares %q", s.Backing)
	}
	if err := b.DeleteVM(t.Context(), one, backends.DeleteOptions{}); backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), `"grandchild"`) {
		t.Errorf("deleting a clone that has clones: %v", err)
	}
	remove(t, b, grandchild)
	remove(t, b, one)
	if now := l.Volumes(t, "default"); len(now) != len(volumes)+2 { // the layers of the source
		t.Errorf("with one linked clone left there are %v", now)
	}
	remove(t, b, two)
	remove(t, b, flat)
	if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) {
		t.Errorf("after the last clone the volumes are %v, want %v", now, volumes)
	}
	reads(t, l, b, source, "root", "0x11")
	reads(t, l, b, source, "data", "0xbb")
}

// TestLinkedImage makes a VM whose root is a layer over an image: it cannot be deleted before the VM.
func TestLinkedImage(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	image := importTinyImage(t, l, b)
	spec := blank("shares")
	spec.Image, spec.Linked = image, true
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(3))}
	id := create(t, b, spec)
	vm := get(t, b, id)
	for _, c := range backends.Diff(&vm.Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	if s := vm.Disks["root"]; s.Backing != image || s.SizeBytes != 3*gib {
		t.Errorf("the disk is %+v, want a layer over %s", s, image)
	}
	err := b.DeleteImage(t.Context(), image)
	if e := wantCode(t, err, backends.Precondition); !strings.Contains(e.Error(), "shares") {
		t.Errorf("the refusal does not name the VM: %v", e)
	}
	spec.Name = "thick"
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(3)), Provisioning: ptr("thick")}
	_, err = b.CreateVM(t.Context(), spec)
	if e := wantCode(t, err, backends.Invalid); e.Path != `disks["root"].provisioning` {
		t.Errorf("the error blames %q", e.Path)
	}
	remove(t, b, id)
}

// TestTemplate makes a template of a VM and VMs of the template. It never runs, and outlives nobody who
// shares its disks.
func TestTemplate(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("golden")
	spec.CloudInit = &backends.CloudInit{UserData: ptr("#cloud-config\npackages: [nginx]\n")}
	spec.Networks = map[string]backends.NIC{"lan": {}}
	spec.Libvirt = &backends.LibvirtOptions{Autostart: ptr(true)}
	vm := create(t, b, spec)
	scribble(t, l, b, vm, "root", "0xaa")
	ask := backends.ImageSpec{Name: "web-template", Kind: "template", Fingerprint: "sha256:aa"}
	image, err := b.ImportImage(t.Context(), ask, backends.ImageSource{VM: vm})
	if err != nil {
		t.Fatal(err)
	}
	template := backends.ID(image.ID)
	deleteLater(t, b, template)
	if image.Kind != "template" || image.Name != "web-template" || image.Storage != "default" || image.SizeBytes != gib || image.Format != "qcow2" || image.Cached {
		t.Errorf("the image is %+v", image)
	}
	again, err := b.ImportImage(t.Context(), ask, backends.ImageSource{VM: vm})
	if err != nil || !again.Cached || again.ID != image.ID {
		t.Errorf("the same content again gave %+v, %v", again, err)
	}
	ask.Fingerprint = "sha256:bb"
	_, err = b.ImportImage(t.Context(), ask, backends.ImageSource{VM: vm})
	wantCode(t, err, backends.Conflict)
	ask.Name = "golden"
	_, err = b.ImportImage(t.Context(), ask, backends.ImageSource{VM: vm})
	wantCode(t, err, backends.Conflict)
	list, err := b.ListImages(t.Context(), "")
	if err != nil || !slices.ContainsFunc(list, func(i backends.Image) bool { return i.ID == image.ID && i.Kind == "template" }) {
		t.Errorf("the list of images is %v, %v", list, err)
	}
	remove(t, b, vm)
	reads(t, l, b, template, "root", "0xaa")

	if !get(t, b, template).Template {
		t.Error("it is not said to be a template")
	}
	if e := wantCode(t, b.SetPower(t.Context(), template, backends.PowerOn), backends.Precondition); !strings.Contains(e.Remedy, "from it") {
		t.Errorf("the refusal to start says: %v (%s)", e, e.Remedy)
	}
	if l.Virsh(t, "list", "--all", "--autostart", "--name") != "" {
		t.Error("the template starts with the host")
	}
	to := get(t, b, template).Config
	to.Memory.SizeMiB, to.Tags = ptr(int64(160)), []string{"golden"}
	change(t, b, template, &to, backends.Cold)
	from := get(t, b, template).Config
	to.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(2))}
	err = b.Reconfigure(t.Context(), template, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&from, &to), Mode: backends.Cold})
	wantCode(t, err, backends.Precondition)

	full := create(t, b, &backends.VMSpec{Name: "full", Template: "web-template"})
	linked := create(t, b, &backends.VMSpec{
		Name: "linked", Template: image.ID, Linked: true, Memory: backends.Memory{SizeMiB: ptr(int64(200))},
		Disks: map[string]backends.Disk{"root": {SizeGiB: ptr(int64(2))}, "data": {SizeGiB: ptr(int64(1))}},
	})
	for _, id := range []backends.ID{full, linked} {
		reads(t, l, b, id, "root", "0xaa")
		vm := get(t, b, id)
		if vm.Template || !slices.Equal(vm.Config.Tags, []string{"golden"}) || vm.Config.Networks["lan"].MAC == to.Networks["lan"].MAC {
			t.Errorf("the VM is %+v", vm)
		}
		if files := seedOf(t, b, id); !strings.Contains(files.UserData, "nginx") || !strings.Contains(files.MetaData, "local-hostname: "+vm.Config.Name) {
			t.Errorf("its seed is %+v", files)
		}
		power(t, b, id, backends.PowerOn)
		power(t, b, id, backends.PowerOff)
	}
	if vm := get(t, b, linked); deref(vm.Config.Memory.SizeMiB) != 200 || vm.Disks["root"].SizeBytes != 2*gib || vm.Disks["root"].Backing == "" || vm.Disks["data"].Path == "" {
		t.Errorf("the VM is %+v", vm)
	}
	if n := len(l.Volumes(t, "default")); n != 2+2+3 { // with the seeds
		t.Errorf("there are %d volumes: %v", n, l.Volumes(t, "default"))
	}
	if e := wantCode(t, b.DeleteImage(t.Context(), image.ID), backends.Precondition); !strings.Contains(e.Error(), "linked") || strings.Contains(e.Error(), `"full"`) {
		t.Errorf("the refusal names the wrong VMs: %v", e)
	}
	remove(t, b, linked)
	if err := b.DeleteImage(t.Context(), image.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.GetImage(t.Context(), image.ID)
	wantCode(t, err, backends.NotFound)
	wantCode(t, b.DeleteImage(t.Context(), string(full)), backends.NotFound) // a VM is no image
	_, err = b.CreateVM(t.Context(), &backends.VMSpec{Name: "late", Template: "web-template"})
	if e := wantCode(t, err, backends.NotFound); e.Path != "template" {
		t.Errorf("the error blames %q", e.Path)
	}
}

// TestImageFromVM copies the root disk of a VM into an image, whatever layers it lies in.
func TestImageFromVM(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	vm := create(t, b, blank("source"))
	scribble(t, l, b, vm, "root", "0xaa")
	power(t, b, vm, backends.PowerOn)
	volumes := l.Volumes(t, "default")
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "from-vm", Kind: "disk", Format: ptr("raw")}, backends.ImageSource{VM: vm})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteImage(context.WithoutCancel(t.Context()), image.ID); err != nil {
			t.Error(err)
		}
	})
	if image.ID != "default/from-vm" || image.Kind != "disk" || image.Format != "raw" || image.SizeBytes != gib {
		t.Errorf("the image is %+v", image)
	}
	if now := l.Volumes(t, "default"); len(now) != len(volumes)+2 { // the image and its marker
		t.Errorf("there were %v, now there are %v", volumes, now)
	}
	spec := blank("made")
	spec.Image = image.ID
	reads(t, l, b, create(t, b, spec), "root", "0xaa")
	_, err = b.ImportImage(t.Context(), backends.ImageSpec{Name: "from-vm"}, backends.ImageSource{VM: vm})
	wantCode(t, err, backends.Conflict)
	_, err = b.ImportImage(t.Context(), backends.ImageSpec{Name: "iso", Kind: "iso"}, backends.ImageSource{VM: vm})
	wantCode(t, err, backends.Invalid)
}
