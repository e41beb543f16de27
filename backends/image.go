package backends

import (
	"context"
	"io"
)

// ImageSpec asks for an image on the hypervisor.
type ImageSpec struct {
	Name    string
	Storage *string // nil is the provider's default
	Kind    string  // "disk", "iso", "ova" or "template"
	// Format is the format to store, such as "qcow2"; nil keeps the source's.
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
	VM       ID // makes the image from a VM instead
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
