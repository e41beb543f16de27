package image_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf/ovftest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// appliance is a package of two disks.
func appliance(name string) ovftest.Package {
	return ovftest.Package{
		Name: name, CPUs: 2, MemoryMiB: 320, Network: "VM Network",
		Disks: []ovftest.Disk{
			{File: ovftest.File{Name: name + "-1.raw", Content: disk(1, 2<<20)}, Capacity: 2 << 20},
			{File: ovftest.File{Name: name + "-2.raw", Content: disk(2, 1<<20)}, Capacity: 1 << 20},
		},
	}
}

// An appliance becomes a template by the name of its file alone, and VMs are made from it.
func TestAccImage_appliance(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	ova := appliance("web").OVA()
	url := s.serve("/web.ova", ova)
	config := func(format string, args ...any) string {
		return header + fmt.Sprintf(format, args...) + `
resource "virtrigaud_vm" "web" {
  name     = "web"
  template = virtrigaud_image.web.id
  networks = { net1 = { network = "lan" } }
}`
	}
	w.Write("main.tf", config(`
resource "virtrigaud_image" "web" {
  name     = "web-appliance"
  url      = %q
  checksum = %q
}`, url, sum(ova)))
	if out := w.Must("plan"); !strings.Contains(out, `"ova"`) {
		t.Errorf("the plan does not say that it is an OVA:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()
	before := w.Attributes("virtrigaud_image.web")
	for name, want := range map[string]any{"kind": "ova", "format": "ova", "cached": false, "fingerprint": sum(ova)} {
		if before[name] != want {
			t.Errorf("%s is %v, want %v", name, before[name], want)
		}
	}
	vm := w.Attributes("virtrigaud_vm.web")
	if cpu := vm["cpu"].(map[string]any); cpu["cores"] != float64(2) || len(vm["disks"].(map[string]any)) != 2 {
		t.Errorf("the VM has %v and %v", cpu, vm["disks"])
	}
	if vm["id"] == before["id"] {
		t.Error("the template itself became the VM")
	}

	// Forgotten by Terraform, found by its fingerprint; adopted by its id.
	w.Must("state", "rm", "virtrigaud_image.web")
	w.Apply()
	if got := w.Attributes("virtrigaud_image.web"); got["cached"] != true || got["id"] != before["id"] {
		t.Errorf("the appliance was imported again: %v", got)
	}
	w.EmptyPlan()
	w.Must("state", "rm", "virtrigaud_image.web")
	w.Must("import", "virtrigaud_image.web", before["id"].(string))
	after := w.Attributes("virtrigaud_image.web")
	for _, name := range []string{"id", "name", "kind", "size_bytes", "fingerprint"} {
		if after[name] != before[name] {
			t.Errorf("%s is %v after the import, was %v", name, after[name], before[name])
		}
	}
	s.requests()
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the first configuration after an import is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("an imported appliance was asked for again: %v", asked)
	}

	// Removed by hand, it is planned again.
	w.Must("destroy", "-auto-approve", "-target=virtrigaud_vm.web")
	if err := world(t, w).DeleteImage(t.Context(), before["id"].(string)); err != nil {
		t.Fatal(err)
	}
	if out := w.Must("plan"); !strings.Contains(out, "virtrigaud_image.web will be created") {
		t.Errorf("an appliance that is gone is not planned again:\n%s", out)
	}
	w.Destroy()
	if left := images(t, w); len(left) > 0 {
		t.Errorf("destroy left %+v", left)
	}
}

// A descriptor with its files beside it, here and on a server.
func TestAccImage_descriptor(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	p := appliance("box")
	for _, f := range append(p.Files(), ovftest.Manifest("box", p.Files()...)) {
		w.Write("box/"+f.Name, string(f.Content))
		s.serve("/images/"+f.Name, f.Content)
	}
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "local" {
  name       = "local"
  local_path = "${path.module}/box/box.ovf"
}
resource "virtrigaud_image" "remote" {
  name = "remote"
  url  = "%s/images/box.ovf"
}`, s.URL))
	w.Apply()
	w.EmptyPlan()
	for _, name := range []string{"local", "remote"} {
		if got := w.Attributes("virtrigaud_image." + name); got["kind"] != "ova" || got["id"] == nil {
			t.Errorf("%s is %v", name, got)
		}
	}
	w.Destroy()
}

// The disk of a VM and a whole VM, each copied once: what becomes of the VM does not matter.
func TestAccImage_fromVM(t *testing.T) {
	w := tfrun.New(t)
	config := func(cores int, source string) string {
		return header + fmt.Sprintf(`
resource "virtrigaud_vm" "golden" {
  name  = "golden"
  cpu   = { cores = %d }
  disks = { root = { size_gib = 2 }, data = { size_gib = 1 } }
}
resource "virtrigaud_vm" "other" {
  name  = "other"
  disks = { root = { size_gib = 3 } }
}
resource "virtrigaud_image" "disk" {
  name  = "golden-disk"
  vm_id = virtrigaud_vm.%[2]s.id
}
resource "virtrigaud_image" "template" {
  name  = "golden-template"
  vm_id = virtrigaud_vm.golden.id
  kind  = "template"
}
resource "virtrigaud_clone" "c" {
  name      = "c"
  source_vm = virtrigaud_image.template.id
}
data "virtrigaud_image" "by_id" {
  id = virtrigaud_image.template.id
}
data "virtrigaud_image" "by_name" {
  name    = virtrigaud_image.disk.name
  storage = virtrigaud_image.disk.storage
}`, cores, source)
	}
	w.Write("main.tf", config(1, "golden"))
	w.Apply()
	w.EmptyPlan()
	diskImage, template := w.Attributes("virtrigaud_image.disk"), w.Attributes("virtrigaud_image.template")
	if diskImage["kind"] != "disk" || diskImage["size_bytes"] != float64(2<<30) || diskImage["cached"] != false {
		t.Errorf("the image of the disk is %v", diskImage)
	}
	if template["kind"] != "template" || template["id"] == w.Attributes("virtrigaud_vm.golden")["id"] {
		t.Errorf("the template is %v", template)
	}
	for name, want := range map[string]map[string]any{"data.virtrigaud_image.by_id": template, "data.virtrigaud_image.by_name": diskImage} {
		got := w.Attributes(name)
		for _, a := range []string{"id", "name", "kind", "size_bytes", "storage", "path"} {
			if got[a] != want[a] {
				t.Errorf("%s of %s is %v, want %v", a, name, got[a], want[a])
			}
		}
	}

	w.Write("main.tf", config(2, "golden"))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("a change of the VM touched the images:\n%s", out)
	}
	w.EmptyPlan()

	w.Write("main.tf", config(2, "other"))
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("another VM is not another image:\n%s", out)
	}
	w.EmptyPlan()
	if got := w.Attributes("virtrigaud_image.disk"); got["size_bytes"] != float64(3<<30) {
		t.Errorf("the image of the other disk is %v", got)
	}

	w.Must("state", "rm", "virtrigaud_image.template")
	w.Must("import", "virtrigaud_image.template", template["id"].(string))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the first configuration after an import is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	w.Destroy()
}

func TestAccImage_library(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", header+`
resource "virtrigaud_image" "x" {
  name            = "from-library"
  content_library = "shared/debian-12"
}`)
	w.Apply()
	w.EmptyPlan()
	if got := w.Attributes("virtrigaud_image.x"); got["kind"] != "template" {
		t.Errorf("got %v", got)
	}
	w.Destroy()
	w.Write("main.tf", header+`
resource "virtrigaud_image" "x" {
  name            = "from-library"
  content_library = "shared/nothing"
}`)
	w.Fails([]string{"shared/nothing", "content_library ="}, "apply", "-auto-approve")
}

// A file in one format is stored in another one.
func TestAccImage_conversion(t *testing.T) {
	w := tfrun.New(t)
	w.Write("disk.raw", string(disk(1, 1<<20)))
	w.Write("main.tf", header+`
resource "virtrigaud_image" "x" {
  name          = "x"
  local_path    = "disk.raw"
  target_format = "qcow2"
}`)
	w.Apply()
	w.EmptyPlan()
	if got := w.Attributes("virtrigaud_image.x"); got["format"] != "raw" || got["target_format"] != "qcow2" {
		t.Errorf("got %v", got)
	}
	w.Destroy()
}

// One clear error, at plan where it can be known then, and nothing left behind.
func TestAccImage_brokenPackages(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	p := appliance("web")
	files := p.Files()
	bad := ovftest.File{Name: files[2].Name, Content: disk(9, len(files[2].Content))}
	mf := ovftest.Manifest("web", files...)
	w.Write("disk.ova", string(disk(1, 1<<20)))
	w.Write("web.raw", string(p.OVA()))
	w.Write("two.ova", string(ovftest.Archive(ovftest.File{Name: "two.ovf", Content: []byte(strings.Replace(string(files[0].Content), `ovf:id="file1"`, `ovf:id="file1" ovf:chunkSize="1000"`, 1))})))
	for name, tt := range map[string]struct {
		body string
		plan bool
		says []string
	}{
		"manifest":               {fmt.Sprintf("url = %q", s.serve("/mf.ova", ovftest.Archive(files[0], mf, files[1], bad))), false, []string{"web-2.raw", "manifest", "url ="}},
		"manifest at the end":    {fmt.Sprintf("url = %q", s.serve("/late.ova", ovftest.Archive(files[0], files[1], bad, mf))), false, []string{"web-2.raw", "manifest", "url ="}},
		"missing disk":           {fmt.Sprintf("url = %q", s.serve("/disk.ova", ovftest.Archive(files[0], files[1]))), false, []string{`lacks the file "web-2.raw"`, "url ="}},
		"cut short":              {fmt.Sprintf("url = %q", s.serve("/short.ova", p.OVA()[:3<<19])), false, []string{"cut short", "url ="}},
		"checksum":               {fmt.Sprintf("url = %q\nchecksum = %q", s.serve("/sum.ova", p.OVA()), sum(nil)), false, []string{"checksum does not match", "checksum ="}},
		"not there":              {fmt.Sprintf("url = %q", s.URL+"/gone.ova"), false, []string{"404", "url ="}},
		"a disk":                 {`local_path = "disk.ova"`, true, []string{"raw image, not an OVA", "local_path ="}},
		"an appliance as disk":   {`local_path = "web.raw"`, true, []string{"is an OVA archive, not a disk", `kind = "ova"`}},
		"chunks":                 {`local_path = "two.ova"`, true, []string{"cut into chunks", "local_path ="}},
		"a file as template":     {"local_path = \"disk.ova\"\nkind = \"template\"", true, []string{"vm_id or content_library", "kind ="}},
		"a package of a VM":      {"vm_id = \"vm-1\"\nkind = \"ova\"", true, []string{"cannot be made from a VM", "kind ="}},
		"a VM that is not there": {`vm_id = "no-such-vm"`, true, []string{`no VM "no-such-vm"`, "vm_id ="}},
		"a checksum of a VM":     {"vm_id = \"vm-1\"\nchecksum = \"sha256:" + strings.Repeat("0", 64) + `"`, true, []string{"made from vm_id", "checksum ="}},
		"a format of a VM":       {"vm_id = \"vm-1\"\nformat = \"raw\"", true, []string{"made from vm_id", "format ="}},
		"a format of a package":  {"local_path = \"disk.ova\"\nkind = \"ova\"\nformat = \"vmdk\"", true, []string{"target_format chooses", "format ="}},
		"no library item":        {`content_library = "item"`, true, []string{"must be LIBRARY/ITEM"}},
		"two sources":            {"vm_id = \"vm-1\"\nlocal_path = \"disk.ova\"", true, []string{"both local_path and vm_id", "vm_id ="}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Write("main.tf", header+"resource \"virtrigaud_image\" \"x\" {\n  name = \"x\"\n"+tt.body+"\n}\n")
			if tt.plan {
				w.Fails(tt.says, "plan")
				return
			}
			w.Fails(append(tt.says, `image "x"`), "apply", "-auto-approve")
			if left := w.State(); len(left) > 0 {
				t.Errorf("the state has %v", left)
			}
			if left := images(t, w); len(left) > 0 {
				t.Errorf("the hypervisor has %+v", left)
			}
			if vms, err := world(t, w).ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(vms) > 0 {
				t.Errorf("the hypervisor has %+v, %v", vms, err)
			}
		})
	}
}

// What a hypervisor lacks is refused at plan, on the attribute that asks for it.
func TestAccImage_unsupported(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	libvirt := strings.Replace(header, `state_file = "mock.json"`, `state_file = "mock.json", imitate = "libvirt"`, 1)
	w.Write("main.tf", libvirt+`
resource "virtrigaud_image" "x" {
  name            = "x"
  content_library = "shared/debian"
}`)
	w.Fails([]string{"content_library", "libvirt"}, "plan")
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("a plan asked the server: %v", asked)
	}
}

func TestAccImageDataSource_errors(t *testing.T) {
	w := tfrun.New(t)
	w.Write("disk.raw", string(disk(1, 1<<20)))
	config := header + `
resource "virtrigaud_image" "a" {
  name       = "debian-13"
  local_path = "disk.raw"
}
resource "virtrigaud_image" "b" {
  name       = "debian-13"
  storage    = "fast"
  local_path = "disk.raw"
}`
	w.Write("main.tf", config)
	w.Apply()
	for name, tt := range map[string]struct {
		body string
		says []string
	}{
		"not there":   {`name = "debain-13"`, []string{"no image with this name", `Similar names are "debian-13"`, "name ="}},
		"ambiguous":   {`name = "debian-13"`, []string{"2 images have this name", `"default/debian-13"`, `"fast/debian-13"`, "storage"}},
		"no id":       {`id = "default/none"`, []string{"default/none", "id ="}},
		"both":        {"id = \"x\"\nname = \"y\"", []string{"Both id and name"}},
		"neither":     {``, []string{"Neither id nor name"}},
		"id, storage": {"id = \"x\"\nstorage = \"y\"", []string{"Both id and storage"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Write("main.tf", config+"\ndata \"virtrigaud_image\" \"x\" {\n"+tt.body+"\n}\n")
			w.Fails(tt.says, "plan")
		})
	}
	w.Write("main.tf", config+"\ndata \"virtrigaud_image\" \"x\" {\n  name = \"debian-13\"\n  storage = \"fast\"\n}\n")
	w.Apply()
	if got := w.Attributes("data.virtrigaud_image.x"); got["id"] != "fast/debian-13" || got["kind"] != "disk" || got["size_bytes"] != float64(1<<20) {
		t.Errorf("got %v", got)
	}
	w.EmptyPlan()
	w.Destroy()
}
