package libvirt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"
)

// The ownership mark is an element of our own in a domain's <metadata>. It
// holds what libvirt has no place for: the keys of disks and networks, which
// volumes go with the VM, tags, and what was asked where libvirt only keeps
// what came of it.
const (
	markNamespace = "https://github.com/virtrigaud/terraform-provider-virtrigaud/libvirt/1"
	markPrefix    = "virtrigaud"
	markElement   = "vm"
	markVersion   = 1
)

type mark struct {
	XMLName xml.Name

	Version int    `xml:"version,attr"`
	Token   string `xml:"token,attr,omitempty"`
	// Partial is set while a creation is under way, so that a second try of
	// the same creation knows what it finds.
	Partial bool `xml:"partial,attr,omitempty"`
	// Pending names the last deferred change. The running domain has its own
	// copy of the metadata: while that one lacks the name, the change waits.
	Pending string `xml:"pending,attr,omitempty"`

	// HadTPM is set once a TPM was removed, whose state libvirt still keeps.
	HadTPM bool `xml:"had-tpm,attr,omitempty"`

	// SeedStale is set where the seed lags behind the VM: the next change writes it.
	SeedStale bool `xml:"seed-stale,attr,omitempty"`
	// Adopted is set on a VM that was made elsewhere.
	Adopted bool `xml:"adopted,attr,omitempty"`

	GuestOS          string `xml:"guest-os,attr,omitempty"`
	Machine          string `xml:"machine,attr,omitempty"`
	MaxCores         int64  `xml:"max-cores,attr,omitempty"`
	MaxMiB           int64  `xml:"max-mib,attr,omitempty"`
	CPUHotAdd        *bool  `xml:"cpu-hot-add,attr"`
	MemoryHotAdd     *bool  `xml:"memory-hot-add,attr"`
	Affinity         string `xml:"affinity,attr,omitempty"`
	PlacementStorage string `xml:"storage,attr,omitempty"`
	Settings         string `xml:"settings,attr,omitempty"`

	// Clone is set where the VM's disks were another's.
	Clone bool `xml:"clone,attr,omitempty"`
	// Template: it never runs, and VMs are made of it.
	Template bool `xml:"template,attr,omitempty"`
	// Image is the kind of the image that a template was imported as, "ova" or "template", and
	// Fingerprint that of its content.
	Image       string `xml:"image,attr,omitempty"`
	Fingerprint string `xml:"fingerprint,attr,omitempty"`
	// Origin is the id of the VM whose disks hold content of this one's, or did while a copy was
	// made: what was frozen there for that can be tidied away once this VM is gone.
	Origin string `xml:"origin,attr,omitempty"`

	Tags  []string   `xml:"tag"`
	Disks []diskMark `xml:"disk"`
	NICs  []nicMark  `xml:"nic"`
	CDROM *driveMark `xml:"cdrom"`
	Seed  *seedMark  `xml:"seed"`

	CPULimit    *limitMark `xml:"cpu-limit"`
	MemoryLimit *limitMark `xml:"memory-limit"`
	// ConsolePassword is the version of the console's password.
	ConsolePassword *int64 `xml:"console-password,attr"`

	Layers    []layerMark    `xml:"layer"`
	Snapshots []snapshotMark `xml:"snapshot"`
}

// layerMark remembers a volume that holds content of a disk without being what
// the disk is attached by: what was frozen for a snapshot or for linked clones, and
// the layers of snapshots that the VM has left. It goes with the VM.
type layerMark struct {
	Key    string `xml:"key,attr"` // of the disk
	Pool   string `xml:"pool,attr"`
	Volume string `xml:"volume,attr"`
	// Owned is set where the volume is deleted once nobody needs it: it was made for the disk, or
	// as a layer. That of a disk that was made elsewhere is not.
	Owned bool `xml:"owned,attr,omitempty"`
}

// snapshotMark remembers of a snapshot of ours what libvirt has no place for.
type snapshotMark struct {
	Name     string `xml:"name,attr"`
	Quiesced bool   `xml:"quiesced,attr,omitempty"`
	Pool     string `xml:"pool,attr,omitempty"` // of the volume that holds the memory
	Volume   string `xml:"volume,attr,omitempty"`
}

// diskMark remembers a disk by its key. An entry without a device in the domain
// is a volume on its way in or out: deletion finds it here.
type diskMark struct {
	Key          string `xml:"key,attr"`
	Serial       string `xml:"serial,attr,omitempty"`
	Device       string `xml:"device,attr,omitempty"` // target, for devices without a serial of ours
	Pool         string `xml:"pool,attr,omitempty"`
	Volume       string `xml:"volume,attr,omitempty"`
	Owned        bool   `xml:"owned,attr,omitempty"`
	Keep         bool   `xml:"keep,attr,omitempty"`
	Retired      bool   `xml:"retired,attr,omitempty"`  // removed; the volume goes when no guest has it open
	External     bool   `xml:"external,attr,omitempty"` // Disk.Volume was given
	Provisioning string `xml:"provisioning,attr,omitempty"`
	// Format is the one that the disk was made with, where Volume is a layer above that.
	Format string `xml:"format,attr,omitempty"`
	// Backing is the volume, POOL/NAME, whose content Volume shares copy-on-write, where that is known.
	Backing string `xml:"backing,attr,omitempty"`
	// Layer is set where Volume was made as a layer, and so is ours even if the disk is not.
	Layer bool `xml:"layer,attr,omitempty"`
	// Frozen is when Backing was frozen, in nanoseconds since 1970; 0 where that says nothing of the disk's content.
	Frozen int64 `xml:"frozen,attr,omitempty"`
}

type nicMark struct {
	Key   string `xml:"key,attr"`
	MAC   string `xml:"mac,attr"`
	Order *int64 `xml:"order,attr"`
}

type driveMark struct {
	Device string `xml:"device,attr"`
	ISO    string `xml:"iso,attr,omitempty"`
	Path   string `xml:"path,attr,omitempty"` // of ISO, to see whether somebody changed the medium
}

type seedMark struct {
	Device string `xml:"device,attr"`
	Pool   string `xml:"pool,attr"`
	Volume string `xml:"volume,attr"`
}

func (m *mark) disk(key string) *diskMark {
	for i := range m.Disks {
		if m.Disks[i].Key == key && !m.Disks[i].Retired {
			return &m.Disks[i]
		}
	}
	return nil
}

// setDisk replaces the entry of d's key, or adds one. A volume of ours that the
// old entry named, and nothing else does, is kept in mind until it is removed.
func (m *mark) setDisk(d diskMark) {
	have := m.disk(d.Key)
	switch {
	case have == nil:
	case have.Pool == d.Pool && have.Volume == d.Volume || !have.Owned || have.Keep:
		*have = d
		return
	default:
		have.Retired = true
	}
	m.Disks = append(m.Disks, d)
}

// retire keeps a removed disk's volume in mind until it is gone.
func (m *mark) retire(key string) {
	if d := m.disk(key); d != nil {
		d.Retired = true
	}
}

func (m *mark) dropDisk(d diskMark) {
	m.Disks = slices.DeleteFunc(m.Disks, func(o diskMark) bool { return o == d })
}

func (m *mark) nic(key string) *nicMark {
	for i := range m.NICs {
		if m.NICs[i].Key == key {
			return &m.NICs[i]
		}
	}
	return nil
}

func (m *mark) setNIC(n nicMark) {
	if have := m.nic(n.Key); have != nil {
		*have = n
		return
	}
	m.NICs = append(m.NICs, n)
}

func (m *mark) dropNIC(key string) {
	m.NICs = slices.DeleteFunc(m.NICs, func(n nicMark) bool { return n.Key == key })
}

// clone returns a deep enough copy: slices and pointers that edits touch.
func (m *mark) clone() *mark {
	c := *m
	c.Tags = slices.Clone(m.Tags)
	c.Disks = slices.Clone(m.Disks)
	c.NICs = slices.Clone(m.NICs)
	c.Layers, c.Snapshots = slices.Clone(m.Layers), slices.Clone(m.Snapshots)
	if m.CDROM != nil {
		d := *m.CDROM
		c.CDROM = &d
	}
	if m.Seed != nil {
		s := *m.Seed
		c.Seed = &s
	}
	return &c
}

// encode renders the mark, with its namespace for a domain definition and
// without for DomainSetMetadata, which adds it.
func (m *mark) encode(namespace bool) (string, error) {
	c := *m
	c.XMLName = xml.Name{Local: markElement}
	if namespace {
		c.XMLName.Space = markNamespace
	}
	c.Version = markVersion
	out, err := xml.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("write the ownership mark: %w", err)
	}
	return string(out), nil
}

// readMark finds the mark in a domain's metadata; nil where there is none. A
// mark that cannot be read is an error, for to act without it would forget volumes.
func readMark(meta *libvirtxml.DomainMetadata) (*mark, error) {
	if meta == nil {
		return nil, nil
	}
	start, end, err := findMark(meta.XML)
	if err != nil || start < 0 {
		return nil, err
	}
	m := &mark{}
	if err := xml.Unmarshal([]byte(meta.XML[start:end]), m); err != nil {
		return nil, fmt.Errorf("the VM's ownership mark cannot be read: %w", err)
	}
	if m.Version > markVersion {
		return nil, fmt.Errorf("the VM's ownership mark has version %d, this provider knows %d: use a newer provider", m.Version, markVersion)
	}
	return m, nil
}

// writeMark puts m into a domain's metadata and leaves what others keep there.
func writeMark(d *libvirtxml.Domain, m *mark) error {
	text, err := m.encode(true)
	if err != nil {
		return err
	}
	if d.Metadata == nil {
		d.Metadata = &libvirtxml.DomainMetadata{}
	}
	inner := d.Metadata.XML
	start, end, err := findMark(inner)
	if err != nil {
		return err
	}
	if start < 0 {
		d.Metadata.XML = strings.TrimRight(inner, " \n\t") + text
		return nil
	}
	d.Metadata.XML = inner[:start] + text + inner[end:]
	return nil
}

// findMark returns where our element lies in the inner XML of <metadata>, or -1.
func findMark(inner string) (start, end int, err error) {
	dec := xml.NewDecoder(bytes.NewReader([]byte(inner)))
	depth, ours := 0, -1
	for {
		at := int(dec.InputOffset())
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return -1, -1, nil
		}
		if err != nil {
			return -1, -1, fmt.Errorf("the VM's metadata cannot be read: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth == 0 && t.Name.Space == markNamespace && t.Name.Local == markElement {
				ours = at
			}
			depth++
		case xml.EndElement:
			depth--
			if depth == 0 && ours >= 0 {
				return ours, int(dec.InputOffset()), nil
			}
		}
	}
}
