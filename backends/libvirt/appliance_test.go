package libvirt

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// vmdk makes a disk of 64 MiB as a package has it, with a pattern at 1 MiB.
func vmdk(t *testing.T, pattern string) string {
	t.Helper()
	dir := t.TempDir()
	raw, out := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "disk.vmdk")
	for _, args := range [][]string{
		{"qemu-img", "create", "-q", "-f", "raw", raw, "64M"},
		{"qemu-io", "-f", "raw", "-c", "write -q -P " + pattern + " 1M 64k", raw},
		{"qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, out},
	} {
		if text, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	return out
}

// appliance is a package of two disks that ends with an error, io.EOF where it is complete.
func appliance(t *testing.T, disks map[string]string, end error) func(context.Context) (*backends.Appliance, error) {
	return func(context.Context) (*backends.Appliance, error) {
		left := []string{}
		for _, key := range []string{"root", "disk2"} {
			if disks[key] != "" {
				left = append(left, key)
			}
		}
		return &backends.Appliance{
			Hardware: backends.VMSpec{
				Name: "whatever", Description: ptr("a package"), GuestOS: ptr("linux"),
				CPU: backends.CPU{Cores: ptr(int64(2))}, Memory: backends.Memory{SizeMiB: ptr(int64(192))}, Firmware: ptr("bios"),
				Disks:    map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1)), Bus: ptr("scsi")}, "disk2": {SizeGiB: ptr(int64(2)), Bus: ptr("nvme")}},
				Networks: map[string]backends.NIC{"net1": {Network: ptr("VM Network"), Model: ptr("vmxnet3")}, "net2": {Network: ptr("Backup"), Model: ptr("e1000")}},
			},
			Next: func(context.Context) (string, *backends.Content, error) {
				if len(left) == 0 {
					return "", nil, end
				}
				key := left[0]
				left = left[1:]
				f, err := os.Open(disks[key])
				if err != nil {
					return "", nil, err
				}
				info, err := f.Stat()
				if err != nil {
					return "", nil, err
				}
				return key, &backends.Content{Reader: f, Format: "vmdk", Size: info.Size(), VirtualSize: 64 << 20}, nil
			},
			Close: func() error { return nil },
		}, nil
	}
}

// TestAppliance imports a package as a template, and makes VMs from that.
func TestAppliance(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	disk := vmdk(t, "0xaa")
	spec := backends.ImageSpec{Name: "router", Kind: "ova", Fingerprint: "sha256:aa"}
	for name, c := range map[string]struct {
		disks map[string]string
		end   error
		code  backends.Code
	}{
		"broken manifest": {map[string]string{"root": disk, "disk2": disk}, backends.Errorf(backends.Invalid, "verify", "the package", "the manifest says otherwise"), backends.Invalid},
		"missing disk":    {map[string]string{"root": disk}, backends.Errorf(backends.Invalid, "", "", "the package lacks disk2.vmdk"), backends.Invalid},
		"not told of":     {map[string]string{"root": disk}, io.EOF, backends.Invalid},
		"interrupt":       {map[string]string{"root": disk}, context.Canceled, backends.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ImportImage(t.Context(), spec, backends.ImageSource{OpenAppliance: appliance(t, c.disks, c.end)})
			if backends.CodeOf(err) != c.code || c.end != io.EOF && !strings.Contains(err.Error(), c.end.Error()[strings.LastIndex(c.end.Error(), ":")+1:]) { //nolint:errorlint // the very one
				t.Errorf("the error is %v", err)
			}
			if !strings.Contains(err.Error(), "router") {
				t.Errorf("the error does not name the image: %v", err)
			}
			l.AssertEmpty(t)
		})
	}
	_, err := b.ImportImage(t.Context(), spec, backends.ImageSource{OpenAppliance: func(context.Context) (*backends.Appliance, error) {
		return nil, errors.New("no such package")
	}})
	if err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("the error is %v", err)
	}

	image, err := b.ImportImage(t.Context(), spec, backends.ImageSource{OpenAppliance: appliance(t, map[string]string{"root": disk, "disk2": disk}, io.EOF)})
	if err != nil {
		t.Fatal(err)
	}
	deleteLater(t, b, backends.ID(image.ID))
	if image.Kind != "ova" || image.Name != "router" || image.Format != "qcow2" || image.SizeBytes != 3*gib || image.Fingerprint != "sha256:aa" {
		t.Errorf("the image is %+v", image)
	}
	if read, err := b.GetImage(t.Context(), image.ID); err != nil || !cmp.Equal(read, image) {
		t.Errorf("it reads as %+v, %v", read, err)
	}
	template := get(t, b, backends.ID(image.ID))
	if !template.Template || template.Config.Name != "router" || deref(template.Config.Description) != "a package" {
		t.Errorf("the template is %+v", template)
	}
	again, err := b.ImportImage(t.Context(), spec, backends.ImageSource{OpenAppliance: func(context.Context) (*backends.Appliance, error) {
		return nil, errors.New("it was opened again")
	}})
	if err != nil || !again.Cached || again.ID != image.ID {
		t.Errorf("the same package again gave %+v, %v", again, err)
	}

	spec.Name = "twin"
	twin, err := b.ImportImage(t.Context(), spec, backends.ImageSource{OpenAppliance: func(context.Context) (*backends.Appliance, error) {
		return nil, errors.New("it was opened again")
	}})
	if err != nil {
		t.Fatal(err)
	}
	deleteLater(t, b, backends.ID(twin.ID))
	if !twin.Cached || twin.ID == image.ID || twin.Name != "twin" || twin.Kind != "ova" || twin.SizeBytes != image.SizeBytes {
		t.Errorf("the same package under another name gave %+v", twin)
	}
	reads(t, l, b, backends.ID(twin.ID), "root", "0xaa")

	vm := create(t, b, &backends.VMSpec{Name: "edge", Template: image.ID, Memory: backends.Memory{SizeMiB: ptr(int64(128))}})
	got := get(t, b, vm).Config
	want := &backends.VMSpec{
		Name: "edge", GuestOS: ptr("linux"), CPU: backends.CPU{Cores: ptr(int64(2))}, Memory: backends.Memory{SizeMiB: ptr(int64(128))}, Firmware: ptr("bios"),
		Disks:    map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1)), Bus: ptr("scsi")}, "disk2": {SizeGiB: ptr(int64(2)), Bus: ptr("virtio")}},
		Networks: map[string]backends.NIC{"net1": {Network: ptr("default"), Model: ptr("virtio")}, "net2": {Network: ptr("default"), Model: ptr("e1000")}},
	}
	for _, c := range backends.Diff(&got, want) {
		t.Errorf("the VM lacks: %s", c)
	}
	reads(t, l, b, vm, "root", "0xaa")
	power(t, b, vm, backends.PowerOn)
	power(t, b, vm, backends.PowerOff)
}
