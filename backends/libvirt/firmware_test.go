package libvirt

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestFirmware starts a VM with every kind of firmware state, and takes the firmware
// and the TPM from it. Nothing of them stays on the host, whichever way they go.
func TestFirmware(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("secure")
	spec.Firmware, spec.SecureBoot, spec.TPM = ptr("uefi"), ptr(true), ptr(true)
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	if len(l.NVRAM()) != 1 || len(l.TPMState()) != 1 {
		t.Fatalf("firmware variables %v, TPM state %v, want one of each", l.NVRAM(), l.TPMState())
	}
	power(t, b, id, backends.PowerOff)

	spec.SecureBoot = ptr(false)
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if files := l.NVRAM(); len(files) != 1 || strings.Contains(files[0], "secure") {
		t.Errorf("firmware variables are %v, want those without keys only", files)
	}
	power(t, b, id, backends.PowerOff)

	spec.Name = "renamed"
	before := l.NVRAM()
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if after := l.NVRAM(); !slices.Equal(before, after) {
		t.Errorf("the new name has other firmware variables: %v, before %v", after, before)
	}
	power(t, b, id, backends.PowerOff)

	spec.Firmware, spec.TPM = ptr("bios"), ptr(false)
	change(t, b, id, spec, backends.Cold)
	if files := l.NVRAM(); len(files) != 0 {
		t.Errorf("a BIOS left firmware variables: %v", files)
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.AssertEmpty(t)
}

// TestRename_foreign keeps the firmware variables of a VM whose definition does not
// say where they are.
func TestRename_foreign(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Define(t, "", `<domain type='qemu'><name>old</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
		<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features></domain>`)
	id := backends.ID(l.Virsh(t, "domuuid", "old"))
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.PowerOff)
	before := l.NVRAM()
	change(t, b, id, &backends.VMSpec{Name: "new"}, backends.Cold)
	power(t, b, id, backends.PowerOn)
	if after := l.NVRAM(); len(after) != 1 || !slices.Equal(before, after) {
		t.Errorf("firmware variables are %v, want %v still", after, before)
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
