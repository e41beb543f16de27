package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

const descriptor = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:href="disk1.vmdk" ovf:id="file1" ovf:size="%d"/>
  </References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:capacity="%d" ovf:diskId="vmdisk1" ovf:fileRef="file1"
      ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="VM Network"><Description>The network</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id="tiny-appliance">
    <Info>A virtual machine</Info>
    <OperatingSystemSection ovf:id="96"><Info>The guest</Info><Description>Debian 64-bit</Description></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <Item>
        <rasd:Description>Number of Virtual CPUs</rasd:Description>
        <rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>320</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource>
        <rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:Connection>VM Network</rasd:Connection>
        <rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType>
      </Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`

// appliance packs a disk image as an OVA, as other hypervisors export one. The
// manifest is right unless broken.
func appliance(t *testing.T, image string, broken bool) string {
	t.Helper()
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk1.vmdk")
	convert := exec.CommandContext(t.Context(), "qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", image, disk)
	if out, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	vmdk, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	ovf := fmt.Appendf(nil, descriptor, len(vmdk), 1<<30)
	sum := sha256.Sum256(vmdk)
	if broken {
		sum[0]++
	}
	manifest := fmt.Sprintf("SHA256(tiny.ovf)= %x\nSHA256(disk1.vmdk)= %x\n", sha256.Sum256(ovf), sum)
	var archive bytes.Buffer
	files := tar.NewWriter(&archive)
	for _, f := range []struct {
		name    string
		content []byte
	}{{"tiny.ovf", ovf}, {"tiny.mf", []byte(manifest)}, {"disk1.vmdk", vmdk}} {
		header := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content)), Format: tar.FormatUSTAR}
		if err := files.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "tiny.ova")
	if err := os.WriteFile(name, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func applianceConfig(lab *libvirtlab.Lab, ova string) string {
	return provider(lab.URI()) + fmt.Sprintf(`
resource "virtrigaud_image" "appliance" {
  name       = "appliance"
  kind       = "ova"
  local_path = %q
}

resource "virtrigaud_vm" "box" {
  name        = "box-01"
  template    = virtrigaud_image.appliance.id
  power_state = "running"
  wait_for    = { agent = true, timeout = "3m" }
}
`, ova)
}

// TestApplianceBoots imports an OVA and boots a VM made from it, with the
// hardware that the package asks for.
func TestApplianceBoots(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	w.Write("main.tf", applianceConfig(lab, appliance(t, lab.TinyImage(t), false)))
	w.Apply()
	w.EmptyPlan()
	memory, _ := w.Attributes("virtrigaud_vm.box")["memory"].(map[string]any)
	if got := fmt.Sprint(memory["size_mib"]); got != "320" {
		t.Errorf("the VM has %s MiB, the package asks for 320", got)
	}
	box := guest{t: t, lab: lab, domain: "box-01"}
	if got := box.memory(); got < 200_000 || got > 330_000 {
		t.Errorf("the guest has %d KiB", got)
	}
	w.Destroy()
	lab.AssertEmpty(t)
}

// TestBrokenApplianceLeavesNothing refuses an OVA whose disk is not what its
// manifest says.
func TestBrokenApplianceLeavesNothing(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	w.Write("main.tf", applianceConfig(lab, appliance(t, lab.TinyImage(t), true)))
	out := w.Fails([]string{"disk1.vmdk", "manifest"}, "apply", "-auto-approve")
	if n := strings.Count(out, "Error: "); n != 1 {
		t.Errorf("%d errors, want one:\n%s", n, out)
	}
	lab.AssertEmpty(t)
}
