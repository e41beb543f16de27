// Package ovftest makes virtual appliances for tests.
package ovftest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// File is one file of a package.
type File struct {
	Name    string
	Content []byte
}

// Disk is one disk of a virtual machine.
type Disk struct {
	File           // empty for a disk that begins empty
	Capacity int64 // bytes
}

// Package is an appliance of one virtual machine.
type Package struct {
	Name      string
	CPUs      int
	MemoryMiB int
	UEFI      bool
	Network   string // "" for no interface
	Disks     []Disk
}

// Descriptor is the OVF descriptor, as VMware's tools write it.
func (p Package) Descriptor() File {
	var files, disks, items strings.Builder
	for i, d := range p.Disks {
		ref := ""
		if d.Name != "" {
			fmt.Fprintf(&files, `<File ovf:href="%s" ovf:id="file%d" ovf:size="%d"/>`, d.Name, i+1, len(d.Content))
			ref = fmt.Sprintf(` ovf:fileRef="file%d"`, i+1)
		}
		fmt.Fprintf(&disks, `<Disk ovf:capacity="%d" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk%d"%s/>`, d.Capacity, i+1, ref)
		fmt.Fprintf(&items, `<Item><rasd:AddressOnParent>%d</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk%d</rasd:HostResource>`+
			`<rasd:InstanceID>%d</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>`, i, i+1, 10+i)
	}
	if p.Network != "" {
		fmt.Fprintf(&items, `<Item><rasd:Connection>%s</rasd:Connection><rasd:InstanceID>4</rasd:InstanceID>`+
			`<rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>`, p.Network)
	}
	firmware := "bios"
	if p.UEFI {
		firmware = "efi"
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
<References>%s</References>
<DiskSection><Info/>%s</DiskSection>
<VirtualSystem ovf:id="%s"><Info/><Name>%[3]s</Name>
<OperatingSystemSection ovf:id="96" vmw:osType="debian11_64Guest"><Info/></OperatingSystemSection>
<AnnotationSection><Info/><Annotation>The appliance %[3]s</Annotation></AnnotationSection>
<VirtualHardwareSection><Info/>
<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>%[4]d</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>%[5]d</rasd:VirtualQuantity></Item>
<Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
%[6]s<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="%[7]s"/>
</VirtualHardwareSection></VirtualSystem></Envelope>
`, files.String(), disks.String(), p.Name, max(1, p.CPUs), max(64, p.MemoryMiB), items.String(), firmware)
	return File{p.Name + ".ovf", []byte(text)}
}

// Files are the descriptor and the disks, in this order.
func (p Package) Files() []File {
	all := []File{p.Descriptor()}
	for _, d := range p.Disks {
		if d.Name != "" {
			all = append(all, d.File)
		}
	}
	return all
}

// Manifest has the SHA-256 digests of files.
func Manifest(name string, files ...File) File {
	var text strings.Builder
	for _, f := range files {
		fmt.Fprintf(&text, "SHA256(%s)= %x\n", f.Name, sha256.Sum256(f.Content))
	}
	return File{name + ".mf", []byte(text.String())}
}

// OVA is the archive with a manifest behind the descriptor.
func (p Package) OVA() []byte {
	files := p.Files()
	return Archive(append([]File{files[0], Manifest(p.Name, files...)}, files[1:]...)...)
}

// Archive puts files into a tar archive, in their order.
func Archive(files ...File) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Name: f.Name, Size: int64(len(f.Content)), Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(1700000000, 0), Format: tar.FormatUSTAR})
		if err == nil {
			_, err = w.Write(f.Content)
		}
		if err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
