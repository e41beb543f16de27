package ovf

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// The types of hardware, as CIM numbers them.
const (
	typeCPU        = "3"
	typeMemory     = "4"
	typeIDE        = "5"
	typeSCSI       = "6"
	typeEthernet   = "10"
	typeDisk       = "17"
	typeController = "20"
)

func (i xmlItem) is(kind string) bool { return strings.TrimSpace(i.ResourceType) == kind }

func (d *Descriptor) processors(items []xmlItem) error {
	for _, i := range items {
		switch {
		case i.is(typeCPU) && d.CPUs == 0:
			d.CPUs, d.CoresPerSocket = count(i.Quantity), count(i.CoresPerSocket)
			if sockets, per := count(i.Sockets), count(i.PerSocket); sockets > 0 && per > 0 {
				d.CPUs, d.CoresPerSocket = sockets*per*max(1, count(i.Threads)), per*max(1, count(i.Threads))
			}
			if d.CPUs == 0 || d.CPUs > 4096 {
				return errorf(diskimage.Damaged, "its OVF descriptor asks for %q processors", i.Quantity)
			}
		case i.is(typeMemory) && d.MemoryMiB == 0:
			n, err := bytesOf("memory", i.Quantity, i.Units, 1<<20)
			if err != nil {
				return err
			}
			if d.MemoryMiB = ceil(n, 1<<20); d.MemoryMiB == 0 {
				return errorf(diskimage.Damaged, "its OVF descriptor asks for no memory")
			}
		}
	}
	return nil
}

func (d *Descriptor) nics(items []xmlItem) {
	for _, i := range items {
		if !i.is(typeEthernet) {
			continue
		}
		n := NIC{Model: modelOf(i.ResourceSubType)}
		if len(i.Connection) > 0 {
			n.Network = strings.TrimSpace(i.Connection[0])
		}
		d.NICs = append(d.NICs, n)
	}
}

// modelOf is a model that the seam knows, or "".
func modelOf(subType string) string {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(subType)), " ")
	switch name {
	case "e1000", "2": // oVirt has numbers
		return "e1000"
	case "e1000e", "vmxnet3", "virtio", "rtl8139":
		return name
	case "3", "pv":
		return "virtio"
	case "0", "1":
		return "rtl8139"
	}
	return ""
}

// busOf is the portable name of a controller's bus.
func busOf(controller xmlItem) string {
	sub := strings.ToLower(controller.ResourceSubType)
	switch {
	case controller.is(typeIDE):
		return "ide"
	case strings.Contains(sub, "nvme"):
		return "nvme"
	case strings.Contains(sub, "ahci"), strings.Contains(sub, "sata"):
		return "sata"
	case strings.Contains(sub, "virtio") && !strings.Contains(sub, "scsi"):
		return "virtio"
	case controller.is(typeSCSI):
		return "scsi"
	case controller.is(typeController):
		return "sata"
	}
	return ""
}

// interfaces are oVirt's names of buses.
var interfaces = map[string]string{"virtio": "virtio", "virtio_scsi": "scsi", "ide": "ide", "sata": "sata"}

// placed is a disk with what decides about its place among the others.
type placed struct {
	Disk
	boot       bool
	controller int // in the order of their first disks
	address    int64
}

// disks finds the disks of the system and puts the one first that boots.
func (e *envelope) disks(d *Descriptor, items []xmlItem) error {
	files, err := e.files()
	if err != nil {
		return err
	}
	described := map[string]xmlDisk{}
	for _, x := range e.Disks {
		if _, twice := described[x.ID]; twice {
			return errorf(diskimage.Damaged, "its OVF descriptor describes the disk %q twice", x.ID)
		}
		described[x.ID] = x
	}
	controllers, order := map[string]xmlItem{}, map[string]int{}
	for _, i := range items {
		controllers[i.instance()] = i
	}
	var all []placed
	used := map[string]bool{}
	for _, i := range items {
		if !i.is(typeDisk) || len(i.HostResource) == 0 {
			continue
		}
		id := resourceID(i.HostResource[0])
		x, ok := described[id]
		if !ok {
			return errorf(diskimage.Damaged, "its OVF descriptor does not describe the disk %q, which the virtual machine has", i.HostResource[0])
		}
		if used["disk "+id] || x.FileRef != "" && used["file "+x.FileRef] {
			return errorf(diskimage.Unsupported, "the virtual machine of the package has the disk %q twice", id)
		}
		used["disk "+id], used["file "+x.FileRef] = true, true
		p, err := x.disk(files)
		if err != nil {
			return err
		}
		parent := strings.TrimSpace(i.Parent)
		if _, seen := order[parent]; !seen {
			order[parent] = len(order)
		}
		p.controller, p.address = order[parent], count(i.AddressOnParent)
		if p.Bus == "" && parent != "" {
			p.Bus = busOf(controllers[parent])
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return errorf(diskimage.Unsupported, "the virtual machine of the package has no disk")
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		if a.boot != b.boot {
			if a.boot {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.controller, b.controller), cmp.Compare(a.address, b.address))
	})
	for _, p := range all {
		d.Disks = append(d.Disks, p.Disk)
	}
	return nil
}

func (x xmlDisk) disk(files map[string]xmlFile) (placed, error) {
	p := placed{boot: x.Boot == "true", Disk: Disk{PopulatedBytes: -1, FileBytes: -1, Bus: interfaces[strings.ToLower(x.Interface)]}}
	var err error
	switch {
	case x.ParentRef != "":
		return p, errorf(diskimage.Unsupported, "the disk %q of the package holds only the differences to another one; export the virtual machine without snapshots", x.ID)
	case x.Capacity != "":
		p.CapacityBytes, err = bytesOf("capacity of a disk", x.Capacity, x.Units, 1)
	default:
		p.CapacityBytes, err = bytesOf("capacity of a disk", x.GiB, "", 1<<30)
	}
	if err != nil {
		return p, err
	}
	if p.CapacityBytes == 0 || p.CapacityBytes > 1<<50 {
		return p, errorf(diskimage.Damaged, "its OVF descriptor says that the disk %q has %d bytes", x.ID, p.CapacityBytes)
	}
	if x.Populated != "" {
		if p.PopulatedBytes, err = bytesOf("populated size of a disk", x.Populated, "", 1); err != nil {
			return p, err
		}
	}
	if x.FileRef == "" {
		return p, nil
	}
	f, ok := files[x.FileRef]
	if !ok {
		return p, errorf(diskimage.Damaged, "its OVF descriptor names no file %q, which the disk %q needs", x.FileRef, x.ID)
	}
	switch {
	case f.ChunkSize != "":
		return p, errorf(diskimage.Unsupported, "the file %q of the package is cut into chunks; export the virtual machine without them", f.Href)
	case f.Compression != "" && f.Compression != "identity":
		return p, errorf(diskimage.Unsupported, "the file %q of the package is compressed (%s); export the virtual machine without compression", f.Href, f.Compression)
	}
	if f.Size != "" {
		if p.FileBytes, err = bytesOf("size of a file", f.Size, "", 1); err != nil {
			return p, err
		}
	}
	p.File, err = localName(f.Href)
	return p, err
}

// files are the files of the package by their ids.
func (e *envelope) files() (map[string]xmlFile, error) {
	files := map[string]xmlFile{}
	for _, f := range e.Files {
		if _, twice := files[f.ID]; twice {
			return nil, errorf(diskimage.Damaged, "its OVF descriptor names the file %q twice", f.ID)
		}
		files[f.ID] = f
	}
	return files, nil
}

// localName is the name of a file within the package. One that leads out of it is refused.
func localName(href string) (string, error) {
	outside := errorf(diskimage.Unsupported, "its OVF descriptor names the file %q, which does not lie in the package", href)
	u, err := url.Parse(strings.ReplaceAll(href, " ", "%20"))
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", outside
	}
	name := path.Clean(u.Path)
	if name == "." || name == ".." || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00:") {
		return "", outside
	}
	return name, nil
}

// resourceID is what "ovf:/disk/ID" and the like name.
func resourceID(resource string) string {
	resource = strings.TrimSpace(resource)
	if i := strings.LastIndexByte(resource, '/'); i >= 0 {
		return resource[i+1:]
	}
	return resource
}

func ceil(n, by int64) int64 {
	if n%by != 0 {
		return n/by + 1
	}
	return n / by
}
