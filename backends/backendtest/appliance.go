package backendtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var applianceCases = []Case{
	{
		Name:   "appliances/import",
		Proves: []backends.Feature{backends.FeatureOVAImport},
		Run:    importAppliance,
	},
	{
		Name:   "appliances/broken",
		Proves: []backends.Feature{backends.FeatureOVAImport},
		Run:    brokenAppliance,
	},
	{
		Name:   "appliances/interrupted",
		Proves: []backends.Feature{backends.FeatureOVAImport},
		Run:    interruptedAppliance,
	},
}

// packaged is one disk of a synthetic appliance.
type packaged struct {
	key  string
	disk backends.Disk
	open func() (*backends.Content, error)
}

// content serves bytes of a format that a guest sees as size bytes.
func content(b []byte, format string, size int64) func() (*backends.Content, error) {
	return func() (*backends.Content, error) {
		return &backends.Content{
			Reader: io.NopCloser(bytes.NewReader(b)), Format: format, Size: int64(len(b)), VirtualSize: size,
		}, nil
	}
}

// twoDisks is what an appliance brings: one disk raw, one as qcow2.
func twoDisks() []packaged {
	return []packaged{
		{"root", backends.Disk{SizeGiB: new(int64(1)), Bus: new("scsi")}, content(raw(), "raw", int64(len(raw())))},
		{"disk2", backends.Disk{SizeGiB: new(int64(2))}, content(qcow2(raw(), 2*gib), "qcow2", 2*gib)},
	}
}

// appliance serves disks in their order and tells over closed that it was closed. The
// answer to the call after the last disk is io.EOF, or the error of the manifest.
func appliance(disks []packaged, manifest error) backends.ImageSource {
	return backends.ImageSource{OpenAppliance: func(context.Context) (*backends.Appliance, error) {
		hardware := backends.VMSpec{
			Description: new("an appliance"), GuestOS: new("linux"),
			CPU:      backends.CPU{Cores: new(int64(2))},
			Memory:   backends.Memory{SizeMiB: new(int64(320))},
			Disks:    map[string]backends.Disk{},
			Networks: map[string]backends.NIC{"net1": {Network: new("VM Network"), Model: new("e1000")}},
		}
		for _, d := range disks {
			hardware.Disks[d.key] = d.disk
		}
		next := 0
		return &backends.Appliance{
			Hardware: hardware,
			Next: func(context.Context) (string, *backends.Content, error) {
				if next >= len(disks) {
					if manifest != nil {
						return "", nil, manifest
					}
					return "", nil, io.EOF
				}
				d := disks[next]
				next++
				c, err := d.open()
				return d.key, c, err
			},
			Close: func() error { return nil },
		}, nil
	}}
}

// importAppliance makes a template of an appliance, and VMs of that.
func importAppliance(t *testing.T, e *Env) {
	spec := e.imageSpec("ova", "")
	im := e.importLater(t, spec, appliance(twoDisks(), nil))
	got, err := e.GetImage(e.Ctx(t), im.ID)
	if err != nil {
		t.Fatalf("GetImage: %v", err)
	}
	if got.Name != spec.Name || got.Kind != "ova" || got.ID != im.ID {
		t.Errorf("the image is %+v, want an ova called %q", got, spec.Name)
	}
	if !e.hasImage(t, "", spec.Name) {
		t.Error("the appliance is not listed among the images")
	}
	vm := e.Read(t, backends.ID(im.ID), all)
	c := vm.Config
	if !vm.Template || vm.Power != backends.Stopped {
		t.Errorf("the appliance became a VM that is %s, a template: %t", vm.Power, vm.Template)
	}
	if c.Description == nil || *c.Description != "an appliance" || c.CPU.VCPUs() != 2 || *c.Memory.SizeMiB != 320 {
		t.Errorf("its hardware was not mapped: %+v", c)
	}
	sizes := func(vm *backends.VM) {
		t.Helper()
		for key, want := range map[string]int64{"root": 1, "disk2": 2} {
			if d := vm.Disks[key]; d.SizeBytes != want*gib {
				t.Errorf("disk %q of %q is %+v, want %d GiB", key, vm.Config.Name, d, want)
			}
		}
		if len(vm.Disks) != 2 || len(vm.Networks) != 1 {
			t.Errorf("%q has the disks %v and networks %v", vm.Config.Name, vm.Disks, vm.Networks)
		}
	}
	sizes(vm)

	want := &backends.VMSpec{Name: e.Name(), Template: im.ID, Memory: backends.Memory{SizeMiB: new(int64(256))}}
	if e.Seed.Network != "" { // the package's own name for it means nothing here
		want.Networks = map[string]backends.NIC{"net1": {Network: new(e.Seed.Network)}}
	}
	id := e.Create(t, want)
	sizes(e.Read(t, id, all))
	if got := e.Read(t, id, all).Config.CPU.VCPUs(); got != 2 {
		t.Errorf("the VM of the appliance has %d vCPUs, want the appliance's 2", got)
	}
	e.Power(t, id, backends.PowerOn)

	_, err = e.ImportImage(e.Ctx(t), spec, appliance(twoDisks(), nil))
	wantNamed(t, WantCode(t, err, backends.Conflict), spec.Name)
	owned := e.volumes(t, backends.ID(im.ID))
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Fatalf("DeleteImage of an appliance whose VMs have copies: %v", err)
	}
	e.Gone(t, backends.ID(im.ID))
	e.lost(t, owned)
	_, err = e.GetImage(e.Ctx(t), im.ID)
	WantCode(t, err, backends.NotFound)
}

// brokenAppliance: whatever is wrong with a package, nothing of it is left.
func brokenAppliance(t *testing.T, e *Env) {
	manifest := backends.Errorf(backends.Invalid, "verify", "the package", "disk2.vmdk does not match the manifest")
	missing := backends.Errorf(backends.Invalid, "read", "the package", "disk2.vmdk is missing")
	cut := backends.Errorf(backends.Invalid, "read", "the package", "it ends in the middle")
	reader := func(r io.Reader) func() (*backends.Content, error) {
		return func() (*backends.Content, error) {
			return &backends.Content{Reader: io.NopCloser(r), Format: "raw", Size: 2 << 20, VirtualSize: 2 << 20}, nil
		}
	}
	second := func(open func() (*backends.Content, error)) []packaged {
		disks := twoDisks()
		disks[1].open = open
		return disks
	}
	for name, tt := range map[string]struct {
		source backends.ImageSource
		cause  error // that the message shows, or nil
	}{
		"the manifest does not match": {appliance(twoDisks(), manifest), manifest},
		"a disk is missing":           {appliance(second(func() (*backends.Content, error) { return nil, missing }), nil), missing},
		"broken in the middle":        {appliance(second(reader(io.MultiReader(bytes.NewReader(raw()[:1<<20]), failing{cut}))), nil), cut},
		"a disk cut short":            {appliance(second(reader(bytes.NewReader(raw()[:1<<20]))), nil), nil},
		"a disk that is no qcow2":     {appliance(second(content(raw(), "qcow2", 2<<20)), nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			spec := e.imageSpec("ova", "")
			im, err := e.ImportImage(e.Ctx(t), spec, tt.source)
			if err == nil {
				t.Errorf("the broken appliance was taken: %+v", im)
				_ = e.DeleteImage(e.Ctx(t), im.ID)
				return
			}
			if tt.cause == nil { // otherwise the message is the package's own
				wantNamed(t, err, spec.Name)
			} else if !errors.Is(err, errors.Unwrap(tt.cause)) {
				t.Errorf("the cause %q is lost: %v", tt.cause, err)
			}
			e.noTrace(t, spec.Name)
			e.importLater(t, spec, appliance(twoDisks(), nil)) // nothing is in the way
		})
	}
}

// noTrace fails where an image or a VM of the name exists.
func (e *Env) noTrace(t *testing.T, name string) {
	t.Helper()
	if e.hasImage(t, "", name) {
		t.Errorf("an image %q was left behind", name)
	}
	if left := e.Named(t, name); len(left) > 0 {
		t.Errorf("a VM %q was left behind as %v", name, left)
	}
}

// interruptedAppliance cancels while the second disk is on its way.
func interruptedAppliance(t *testing.T, e *Env) {
	spec := e.imageSpec("ova", "")
	ctx, cancel := context.WithCancel(e.Ctx(t))
	defer cancel()
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	disks := twoDisks()
	disks[1].open = func() (*backends.Content, error) {
		go func() {
			_, _ = w.Write(raw()[:1<<20])
			cancel()
		}()
		return &backends.Content{Reader: r, Format: "raw", Size: 2 << 20, VirtualSize: 2 << 20}, nil
	}
	_, err := e.ImportImage(ctx, spec, appliance(disks, nil))
	WantCode(t, err, backends.Canceled)
	e.noTrace(t, spec.Name)
}

// qcow2 is an image of size bytes that begins with content, as small as the
// format allows: clusters of 64 KiB, whole tables, nothing compressed.
func qcow2(content []byte, size int64) []byte {
	const cluster = 1 << 16
	be := func(width int, values ...uint64) []byte {
		var b []byte
		for _, v := range values {
			for i := width - 1; i >= 0; i-- {
				b = append(b, byte(v>>(8*i)))
			}
		}
		return b
	}
	data := (len(content) + cluster - 1) / cluster
	total := 4 + data // header, L1, L2, refcounts' table and block come before
	total++
	image := make([]byte, total*cluster)
	const l1, l2, refTable, refBlock, first = 1, 2, 3, 4, 5
	entries := uint64(size+(cluster*cluster/8)-1) / (cluster * cluster / 8)
	header := slices.Concat(
		[]byte("QFI\xfb"), be(4, 2), // magic, version
		be(8, 0), be(4, 0), // no backing file
		be(4, 16), be(8, uint64(size)), be(4, 0), // 2^16 bytes a cluster, not encrypted
		be(4, entries), be(8, l1*cluster),
		be(8, refTable*cluster), be(4, 1),
		be(4, 0), be(8, 0), // no snapshots
	)
	copy(image, header)
	const copied = 1 << 63
	copy(image[l1*cluster:], be(8, copied|l2*cluster))
	copy(image[refTable*cluster:], be(8, refBlock*cluster))
	for i := range total {
		copy(image[refBlock*cluster+2*i:], be(2, 1))
	}
	for i := range data {
		copy(image[l2*cluster+8*i:], be(8, copied|uint64((first+i)*cluster)))
	}
	copy(image[first*cluster:], content)
	return image
}
