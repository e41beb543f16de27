package ovf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// maxDescriptor bounds a descriptor; the longest ones hold licence texts.
const maxDescriptor = 4 << 20

// Descriptor is what an OVF descriptor says of one virtual machine.
type Descriptor struct {
	Name        string // of the system, or its id
	Description string
	OS          string // "linux", "windows", "other", or "" where nothing is said
	Firmware    string // "bios", "uefi", or ""

	CPUs           int64 // in all, 0 where nothing is said
	CoresPerSocket int64 // 0 where nothing is said
	MemoryMiB      int64 // 0 where nothing is said

	Disks []Disk // the one that boots comes first
	NICs  []NIC
}

// Disk is one disk of a system.
type Disk struct {
	CapacityBytes  int64
	PopulatedBytes int64  // that the package says it has to transfer, -1 not said
	Bus            string // "virtio", "scsi", "sata", "ide", "nvme", or "" where nothing is said
	File           string // in the package, "" for a disk that begins empty
	FileBytes      int64  // that the descriptor says the file has, -1 not said
}

// NIC is one interface of a system.
type NIC struct {
	Model   string // "e1000", "e1000e", "vmxnet3", "virtio", "rtl8139", or ""
	Network string // the package's own name for what it is connected to
}

// The elements are matched by their local names: the namespaces tell the versions and
// flavours apart, which say the same by other words only.
type envelope struct {
	XMLName    xml.Name        `xml:"Envelope"`
	Files      []xmlFile       `xml:"References>File"`
	Disks      []xmlDisk       `xml:"DiskSection>Disk"`
	Sections   []xmlSection    `xml:"Section"` // of the version 0.9
	Options    []xmlOption     `xml:"DeploymentOptionSection>Configuration"`
	Systems    []xmlSystem     `xml:"VirtualSystem"`
	Contents   []xmlSystem     `xml:"Content"` // of the version 0.9
	Collection []xmlCollection `xml:"VirtualSystemCollection"`
}

type xmlFile struct {
	ID          string `xml:"id,attr"`
	Href        string `xml:"href,attr"`
	Size        string `xml:"size,attr"`
	ChunkSize   string `xml:"chunkSize,attr"`
	Compression string `xml:"compression,attr"`
}

type xmlDisk struct {
	ID        string `xml:"diskId,attr"`
	Capacity  string `xml:"capacity,attr"`
	Units     string `xml:"capacityAllocationUnits,attr"`
	GiB       string `xml:"size,attr"` // oVirt
	Populated string `xml:"populatedSize,attr"`
	FileRef   string `xml:"fileRef,attr"`
	ParentRef string `xml:"parentRef,attr"`
	Boot      string `xml:"boot,attr"`           // oVirt
	Interface string `xml:"disk-interface,attr"` // oVirt
}

type xmlSection struct {
	Type  string    `xml:"type,attr"`
	Disks []xmlDisk `xml:"Disk"`
	xmlSystemParts
}

type xmlOption struct {
	ID      string `xml:"id,attr"`
	Default string `xml:"default,attr"`
}

type xmlCollection struct {
	Systems []xmlSystem `xml:"VirtualSystem"`
}

type xmlSystem struct {
	ID         string        `xml:"id,attr"`
	Name       string        `xml:"Name"`
	About      string        `xml:"Description"` // oVirt
	Annotation []string      `xml:"AnnotationSection>Annotation"`
	OS         []xmlOS       `xml:"OperatingSystemSection"`
	Hardware   []xmlHardware `xml:"VirtualHardwareSection"`
	Sections   []xmlSection  `xml:"Section"`
	VirtualBox struct {
		Type string `xml:"type,attr"`
	} `xml:"Machine>Hardware>Firmware"`
}

// xmlSystemParts are what a section of the version 0.9 may hold.
type xmlSystemParts struct {
	ID          string      `xml:"id,attr"`
	Description string      `xml:"Description"`
	Annotation  string      `xml:"Annotation"`
	Items       []xmlItem   `xml:"Item"`
	Config      []xmlConfig `xml:"Config"`
}

type xmlOS struct {
	ID          string `xml:"id,attr"`
	Type        string `xml:"osType,attr"`
	Description string `xml:"Description"`
}

type xmlHardware struct {
	Items   []xmlItem   `xml:"Item"`
	Storage []xmlItem   `xml:"StorageItem"`      // of the version 2.0
	Ports   []xmlItem   `xml:"EthernetPortItem"` // of the version 2.0
	Config  []xmlConfig `xml:"Config"`
}

type xmlConfig struct {
	Key   string `xml:"key,attr"`
	Value string `xml:"value,attr"`
}

type xmlItem struct {
	Configuration   string   `xml:"configuration,attr"`
	InstanceID      string   `xml:"InstanceID"`
	InstanceId      string   `xml:"InstanceId"` //nolint:revive // as oVirt writes it
	ResourceType    string   `xml:"ResourceType"`
	ResourceSubType string   `xml:"ResourceSubType"`
	Quantity        string   `xml:"VirtualQuantity"`
	Units           string   `xml:"AllocationUnits"`
	CoresPerSocket  string   `xml:"CoresPerSocket"`
	Sockets         string   `xml:"num_of_sockets"` // oVirt
	PerSocket       string   `xml:"cpu_per_socket"` // oVirt
	Threads         string   `xml:"threads_per_cpu"`
	Parent          string   `xml:"Parent"`
	AddressOnParent string   `xml:"AddressOnParent"`
	HostResource    []string `xml:"HostResource"`
	Connection      []string `xml:"Connection"`
	Name            string   `xml:"ElementName"`
}

func (i xmlItem) instance() string {
	if i.InstanceID != "" {
		return strings.TrimSpace(i.InstanceID)
	}
	return strings.TrimSpace(i.InstanceId)
}

// Parse reads a descriptor. One that speaks of several systems, or whose files are compressed or cut
// into chunks, is Unsupported; one that contradicts itself is Damaged.
func Parse(text []byte) (*Descriptor, error) {
	if len(text) > maxDescriptor {
		return nil, errorf(diskimage.TooLarge, "its OVF descriptor is longer than %d MiB", maxDescriptor>>20)
	}
	e, err := readEnvelope(text)
	if err != nil {
		return nil, err
	}
	s, err := e.system()
	if err != nil {
		return nil, err
	}
	return e.describe(s)
}

func readEnvelope(text []byte) (*envelope, error) {
	bad := func(err error) error {
		return &diskimage.Error{Kind: diskimage.Damaged, Msg: "its OVF descriptor cannot be read: " + err.Error(), Err: err}
	}
	// Whoever needs a document type wants to define entities.
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, bad(err)
		}
		if _, ok := token.(xml.Directive); ok {
			return nil, bad(errors.New("it has a document type definition, which OVF does not have"))
		}
	}
	var e envelope
	if err := xml.Unmarshal(text, &e); err != nil {
		return nil, bad(err)
	}
	for _, s := range e.Sections {
		e.Disks = append(e.Disks, s.Disks...)
	}
	return &e, nil
}

// system is the one virtual machine of the package.
func (e *envelope) system() (*xmlSystem, error) {
	all := append(e.Systems, e.Contents...)
	for _, c := range e.Collection {
		all = append(all, c.Systems...)
	}
	switch {
	case len(e.Collection) > 1, len(all) > 1:
		return nil, errorf(diskimage.Unsupported, "the package holds %d virtual machines, and an image is made of one; export them one by one", len(all))
	case len(all) == 0:
		return nil, errorf(diskimage.Damaged, "its OVF descriptor names no virtual machine")
	}
	s := &all[0]
	for _, x := range s.Sections {
		switch {
		case strings.Contains(x.Type, "OperatingSystemSection"):
			s.OS = append(s.OS, xmlOS{ID: x.ID, Description: x.Description})
		case strings.Contains(x.Type, "VirtualHardwareSection"):
			s.Hardware = append(s.Hardware, xmlHardware{Items: x.Items, Config: x.Config})
		case strings.Contains(x.Type, "AnnotationSection"):
			s.Annotation = append(s.Annotation, x.Annotation)
		}
	}
	return s, nil
}

// configuration is the choice that counts among those that the package offers.
func (e *envelope) configuration() string {
	for _, o := range e.Options {
		if o.Default == "true" || o.Default == "1" {
			return o.ID
		}
	}
	if len(e.Options) > 0 {
		return e.Options[0].ID
	}
	return ""
}

func (e *envelope) describe(s *xmlSystem) (*Descriptor, error) {
	d := &Descriptor{Name: strings.TrimSpace(s.Name), OS: osOf(s.OS)}
	if d.Name == "" {
		d.Name = s.ID
	}
	for _, text := range append(s.Annotation, s.About) {
		if d.Description == "" {
			d.Description = strings.TrimSpace(text)
		}
	}
	if len(s.Hardware) == 0 {
		return nil, errorf(diskimage.Damaged, "its OVF descriptor does not say what hardware the virtual machine has")
	}
	h := s.Hardware[0]
	d.Firmware = firmwareOf(h, s.VirtualBox.Type)
	chosen := e.configuration()
	var items []xmlItem
	for _, list := range [][]xmlItem{h.Items, h.Storage, h.Ports} {
		for _, i := range list {
			if i.Configuration == "" || containsWord(i.Configuration, chosen) {
				items = append(items, i)
			}
		}
	}
	if err := d.processors(items); err != nil {
		return nil, err
	}
	d.nics(items)
	return d, e.disks(d, items)
}

func containsWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}

func firmwareOf(h xmlHardware, virtualBox string) string {
	name := virtualBox
	for _, c := range h.Config {
		if c.Key == "firmware" {
			name = c.Value
		}
	}
	switch name = strings.ToLower(name); {
	case strings.HasPrefix(name, "efi"), strings.HasPrefix(name, "uefi"):
		return "uefi"
	case name == "bios":
		return "bios"
	}
	return ""
}
