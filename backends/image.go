package backends

import (
	"context"
	"io"
)

// ImageSpec asks for an image on the hypervisor.
type ImageSpec struct {
	Name    string
	Storage *string // nil is the provider's default
	// Kind is "disk", "iso", "ova" or "template". The last two are VMs that never run:
	// an OVA's, with the hardware that it asks for and its disks converted, or a copy
	// of the VM ImageSource.VM. Their ids serve as VMSpec.Template and CloneSpec.Source.
	Kind string
	// Format is the format to store, such as "qcow2"; nil keeps the source's, where
	// disks have more than one.
	Format *string
	// Fingerprint identifies the source's content; an image that carries the
	// same one is not transferred again. "" never matches.
	Fingerprint string
	Properties  map[string]string
}

// ImageSource is where an image's bytes come from. A hypervisor that fetches by
// itself uses URL and Checksum; all others call Open.
type ImageSource struct {
	URL      string // "" where only Open can serve
	Checksum string // "sha256:..." of what URL answers, or ""
	Open     func(ctx context.Context) (*Content, error)

	// At most one of these is set, in place of the above.
	VM            ID     // copies a VM's disk "root" (Kind "disk") or the whole VM ("template")
	LibraryItem   string // LIBRARY/ITEM of a content library
	OpenAppliance func(ctx context.Context) (*Appliance, error)
}

// Appliance is an OVA or OVF package on its way to a hypervisor.
type Appliance struct {
	// Hardware is what the package asks for, in portable terms: CPU, memory, guest OS,
	// firmware, description; disks with size and bus, the one that boots as "root", the others as
	// "disk2" and on; NICs as "net1" and on, with model, and in Network the package's own
	// name for what they are connected to, which the hypervisor need not have.
	Hardware VMSpec
	// Next returns the content of the next disk and its key in Hardware.Disks, in the order
	// of the package. The one before must have been read to its end. The last
	// answer is io.EOF, once everything was held against the package's manifest: what was read before
	// must not be trusted. A disk that Hardware names and the package lacks is an error.
	Next func(ctx context.Context) (key string, content *Content, err error)
	// Close ends the transfer; it may be called at any time.
	Close func() error
}

// Content is an image's bytes on their way to a hypervisor, decompressed.
type Content struct {
	// Reader yields the bytes. Its last Read fails instead of io.EOF when the
	// transfer was cut short or its checksum is wrong, so what was read before
	// io.EOF must not be trusted.
	Reader      io.ReadCloser
	Format      string // detected: "qcow2", "raw", "vmdk", "vdi", "vhdx", "iso", "ova"
	Size        int64  // bytes that Reader yields, -1 unknown
	VirtualSize int64  // bytes that a guest sees, -1 unknown
}

// Image is an image on the hypervisor.
type Image struct {
	ID          string
	Name        string
	Kind        string
	Format      string
	Storage     string
	Path        string
	SizeBytes   int64 // that a guest sees
	Allocated   int64 // that the storage spends, -1 unknown
	Fingerprint string
	Cached      bool // ImportImage found it there
}
