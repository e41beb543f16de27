// Package examples tests that every example of the documentation works: it is
// applied on the mock, planned again without a difference, and destroyed.
//
// What an example cannot have in a test is put in its place by an override
// file, as a user would: the hypervisor, and where images come from.
package examples

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf/ovftest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

const requirements = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
`

// key is nobody's.
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZl admin"

// example is a directory to apply.
type example struct {
	dir string
	// provider is added where the example has none, as those of the reference do.
	provider string
	// mock is what the mock that takes the hypervisor's place is told beside the
	// state file.
	mock string
	vars []string
	// files are written beside the example, with the content of a disk.
	files []string
	// refused are variables for which the plan has to fail, and what it says.
	refused []string
	says    []string
	// elsewhere says that a test of its own applies the example.
	elsewhere bool
}

var examples = []example{
	{dir: "provider"},
	{dir: "resources/virtrigaud_clone", provider: "libvirt = {}"},
	{dir: "resources/virtrigaud_image", files: []string{"appliance.qcow2", "legacy.vmdk"}, provider: "libvirt = {}"},
	{dir: "resources/virtrigaud_disk", provider: "libvirt = {}"},
	{dir: "resources/virtrigaud_snapshot", provider: "libvirt = {}"},
	{dir: "resources/virtrigaud_vm", provider: "libvirt = {}"},
	{dir: "ephemeral-resources/virtrigaud_console", provider: "libvirt = {}"},
	{dir: "data-sources/virtrigaud_capabilities", provider: "libvirt = {}"},
	{dir: "data-sources/virtrigaud_hosts", provider: "libvirt = {}"},
	{dir: "data-sources/virtrigaud_image", provider: "libvirt = {}", mock: "sample_data = true"},
	{dir: "data-sources/virtrigaud_networks", provider: "libvirt = {}"},
	{dir: "data-sources/virtrigaud_storages", provider: "libvirt = {}"},
	{dir: "data-sources/virtrigaud_vm", provider: "libvirt = {}", mock: "sample_data = true"},
	{dir: "data-sources/virtrigaud_vms", provider: "libvirt = {}", mock: "sample_data = true"},
	{dir: "vsphere-cloud-image", vars: []string{"ssh_public_key=" + key, "folder=vm/web"}, mock: `imitate = "vsphere"`},
	{dir: "proxmox-cloud-image", vars: []string{"ssh_public_key=" + key, "bridge=vmbr0"}, mock: `imitate = "proxmox"`},
	{dir: "libvirt-cloud-image", vars: []string{"ssh_public_key=" + key}, mock: `imitate = "libvirt"`},
	{
		dir: "mock-plan-ci", mock: `imitate = "libvirt", sample_data = true`,
		refused: []string{"reservation_mhz=1000"}, says: []string{"libvirt does not have this", "cpu.reservation_mhz"},
	},
	{dir: "one-vm-every-hypervisor", elsewhere: true},
	{dir: "demo", files: []string{"disk.raw"}},
}

func TestMain(m *testing.M) { os.Exit(tfrun.Main(m)) }

func TestAccExamples(t *testing.T) {
	for _, e := range examples {
		if e.elsewhere {
			continue
		}
		t.Run(strings.ReplaceAll(e.dir, "/", "-"), func(t *testing.T) {
			source, err := filepath.Abs(e.dir)
			if err != nil {
				t.Fatal(err)
			}
			w := tfrun.New(t)
			e.prepare(t, w, source)
			w.Must("get")
			w.Must("validate")
			vars := flags(e.vars)
			w.Apply(vars...)
			w.EmptyPlan(vars...)
			if len(e.refused) > 0 {
				w.Fails(e.says, append([]string{"plan"}, flags(append(e.vars, e.refused...))...)...)
			}
			w.Destroy(vars...)
		})
	}
}

// Every example is one of those that are applied, and every directory of the
// reference has the file that the documentation shows.
func TestExamples_noneForgotten(t *testing.T) {
	var known []string
	for _, e := range examples {
		known = append(known, e.dir)
	}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".tf") {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		// Modules and variants belong to the example that they lie in.
		if !slices.Contains(known, dir) && !slices.Contains(known, filepath.ToSlash(filepath.Dir(dir))) {
			t.Errorf("%s is not applied by any test", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func flags(vars []string) []string {
	var all []string
	for _, v := range vars {
		all = append(all, "-var", v)
	}
	return all
}

var (
	imageResource = regexp.MustCompile(`(?ms)^resource "virtrigaud_image" "(\w+)" \{(.*?)^\}`)
	providerBlock = regexp.MustCompile(`(?ms)^provider "virtrigaud" \{(.*?)^\}`)
	aliasOf       = regexp.MustCompile(`(?m)^\s*alias\s*=\s*"(\w+)"`)
)

// prepare copies the example into the workspace and adds the override files.
func (e example) prepare(t *testing.T, w *tfrun.Workspace, source string) {
	t.Helper()
	server := images(t)
	err := filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".tf" || strings.HasPrefix(entry.Name(), "import") {
			return err
		}
		text, err := os.ReadFile(file) //nolint:gosec // a file of the project
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		config := string(text)
		if relative == filepath.Base(file) && e.provider != "" {
			config = requirements + fmt.Sprintf("provider \"virtrigaud\" {\n  %s\n}\n", e.provider) + config
		}
		w.Write(relative, config)
		w.Write(strings.TrimSuffix(relative, ".tf")+"_override.tf", e.override(w.Dir, config)+imagesFrom(config, server))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range e.files {
		w.Write(name, string(content(name)))
	}
}

// images starts a server that has an image under every name, and returns its URL.
func images(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.ServeContent(rw, r, "", time.Unix(1, 0), bytes.NewReader(content(r.URL.Path)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// override puts the mock in place of every hypervisor.
func (e example) override(dir, config string) string {
	var b strings.Builder
	for i, block := range providerBlock.FindAllStringSubmatch(config, -1) {
		b.WriteString("provider \"virtrigaud\" {\n")
		if alias := aliasOf.FindStringSubmatch(block[1]); alias != nil {
			fmt.Fprintf(&b, "  alias = %q\n", alias[1])
		}
		fmt.Fprintf(&b, "  libvirt = null\n  vsphere = null\n  proxmox = null\n  mock = { state_file = %q", filepath.Join(dir, fmt.Sprintf("mock-%d.json", i)))
		if e.mock != "" {
			b.WriteString(", " + e.mock)
		}
		b.WriteString(" }\n}\n")
	}
	return b.String()
}

// imagesFrom puts the server in place of those that images come from.
func imagesFrom(config, server string) string {
	var b strings.Builder
	for _, image := range imageResource.FindAllStringSubmatch(config, -1) {
		if !strings.Contains(image[2], "url ") {
			continue
		}
		name := image[1] + ".raw"
		switch {
		case strings.Contains(image[2], `kind = "iso"`):
			name = image[1] + ".iso"
		case strings.Contains(image[2], `.ova"`):
			name = image[1] + ".ova"
		}
		fmt.Fprintf(&b, "resource \"virtrigaud_image\" %q {\n  url = \"%s/%s\"\n  checksum = null\n}\n", image[1], server, name)
	}
	return b.String()
}

// content is that of a small image of the format that the name says.
func content(name string) []byte {
	const size = 1 << 20
	b := make([]byte, size)
	switch filepath.Ext(name) {
	case ".qcow2": // version 3, 64 KiB clusters, 1 MiB, header only as far as it is looked at
		copy(b, "QFI\xfb\x00\x00\x00\x03")
		b[23] = 16                 // cluster_bits
		b[24+5] = 0x10             // size: 1 MiB
		b[36+3] = 1                // l1_size
		b[40+5] = 3                // l1_table_offset
		b[48+5] = 1                // refcount_table_offset
		b[56+3] = 1                // refcount_table_clusters
		b[96+3], b[100+3] = 4, 104 // refcount_order, header_length
	case ".vmdk": // a sparse extent with its descriptor, as far as it is looked at
		copy(b, "KDMV\x01\x00\x00\x00")
		b[12+1], b[20] = 8, 128 // 2048 sectors, grains of 128
		b[28], b[36] = 1, 20    // where the descriptor is
		copy(b[512:], "# Disk DescriptorFile\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\n")
	case ".ova":
		return ovftest.Package{
			Name: "appliance", CPUs: 2, MemoryMiB: 512, Network: "VM Network",
			Disks: []ovftest.Disk{{File: ovftest.File{Name: "appliance-1.raw", Content: content("disk.raw")}, Capacity: size}},
		}.OVA()
	case ".iso":
		copy(b[32769:], "CD001")
	default:
		for i := range b {
			b[i] = byte(i / 512)
		}
	}
	return b
}
