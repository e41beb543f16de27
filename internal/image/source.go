package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf"
)

// source is where an image comes from and what it has to be. Its configuration
// is known.
type source struct {
	diskimage.Source
	attribute    backends.Path // "url" or "local_path"
	kind         string
	format       string // "" is whatever it is
	targetFormat string // "" is the format of the file
	catalogue    backends.Catalogue

	local string // fingerprint with size and time of a local file, as it was hashed
	found string // format of the content, set by open
}

// attribute is the one that says where the image comes from.
func (m *model) attribute() backends.Path {
	switch {
	case !m.LocalPath.IsNull():
		return "local_path"
	case !m.VMID.IsNull():
		return "vm_id"
	case !m.LibraryItem.IsNull():
		return "content_library"
	}
	return "url"
}

// source is the file that m describes.
func (m *model) source() (*source, error) {
	s := &source{
		attribute:    m.attribute(),
		kind:         m.Kind.ValueString(),
		format:       m.Format.ValueString(),
		targetFormat: m.TargetFormat.ValueString(),
	}
	s.URL = m.URL.ValueString()
	if s.URL == "" {
		s.Path = m.LocalPath.ValueString()
	}
	sum, err := diskimage.ParseChecksum(m.Checksum.ValueString())
	if err != nil {
		return nil, s.blame(err)
	}
	s.Checksum = sum
	return s, nil
}

// identify finds the fingerprint of the content. A list of checksums is read
// once: the digest that it holds is what the transfer is checked against.
// previous saves reading a local file that did not change.
func (s *source) identify(ctx context.Context, previous string) (string, error) {
	fingerprint, err := diskimage.Fingerprint(ctx, s.Source, previous)
	if err != nil {
		if s.Checksum.List != "" { // it is all that was read
			return "", blame(err, "checksum")
		}
		return "", s.blame(err)
	}
	if s.Checksum.IsZero() {
		if s.Path != "" {
			s.local = fingerprint
		}
		return digest(fingerprint), nil
	}
	if s.Checksum, err = diskimage.ParseChecksum(fingerprint); err != nil {
		return "", s.blame(err)
	}
	return fingerprint, nil
}

// open opens the content for a driver and refuses what is not what was asked for.
func (s *source) open(ctx context.Context) (*backends.Content, error) {
	img, err := diskimage.Open(ctx, s.Source)
	if err != nil {
		return nil, s.blame(err)
	}
	content, err := s.content(ctx, img)
	if err != nil {
		img.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	return content, nil
}

// openPackage opens a virtual appliance.
func (s *source) openPackage(ctx context.Context) (*backends.Appliance, error) {
	a, err := ovf.Open(ctx, s.Source)
	if err != nil {
		return nil, s.blame(err)
	}
	if err := s.unchanged(ctx); err != nil {
		a.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	s.found = kindOVA
	next := a.Next
	a.Next = func(ctx context.Context) (string, *backends.Content, error) {
		key, content, err := next(ctx)
		return key, content, s.blame(err)
	}
	return a, nil
}

func (s *source) content(ctx context.Context, img *diskimage.Image) (*backends.Content, error) {
	if err := s.unchanged(ctx); err != nil {
		return nil, err
	}
	if err := s.accept(img.Format); err != nil {
		return nil, err
	}
	c := &backends.Content{Reader: img, Format: s.found, Size: img.Size, VirtualSize: img.VirtualSize}
	if s.found != string(img.Format) { // read as something else than it looks like
		c.VirtualSize = img.Size
	}
	return c, nil
}

// unchanged makes sure that a local file is still the one that was hashed.
func (s *source) unchanged(ctx context.Context) error {
	if s.local == "" {
		return nil
	}
	now, err := diskimage.Fingerprint(ctx, diskimage.Source{Path: s.Path}, s.local)
	if err != nil {
		return s.blame(err)
	}
	if !diskimage.SameContent(now, s.local) {
		return &backends.Error{
			Code: backends.Conflict, Path: s.attribute,
			Err: fmt.Errorf("the file %s was written to in the meantime", s.Path),
		}
	}
	return nil
}

// accept holds the format of the content against the configuration.
func (s *source) accept(found diskimage.Format) error {
	s.found = string(found)
	if s.format != "" && s.format != s.found {
		if !plain(s.format) || !plain(s.found) {
			return invalid("format", "%s is a %s image, but format says %q", s.Source, s.found, s.format).
				Advise("Leave format out, or set it to %q.", s.found)
		}
		s.found = s.format
	}
	switch {
	case found == diskimage.OVA:
		return invalid("kind", "%s is an OVA archive, not %s", s.Source, article(s.kind)).
			Advise(`Set kind = "ova".`)
	case s.kind == kindISO && s.found != kindISO:
		return invalid("kind", "%s is a %s image, not an ISO", s.Source, s.found).
			Advise(`Set kind = "disk". If it is an optical image that is not recognised, set format = "iso".`)
	case s.kind == kindDisk && s.found == kindISO:
		return invalid("kind", "%s is an ISO image, not a disk", s.Source).
			Advise(`Set kind = "iso". If it is to be used as a disk, set format = "raw".`)
	}
	return s.convertible()
}

// convertible refuses a conversion that the hypervisor lacks.
func (s *source) convertible() error {
	if s.targetFormat == "" || s.targetFormat == s.found {
		return nil
	}
	if support := s.catalogue.For(backends.FeatureImageConversion); !support.Level.Claimed() {
		e := &backends.Error{
			Code: backends.Unsupported, Path: "target_format",
			Err: fmt.Errorf("%s is a %s image and the %s backend does not convert images", s.Source, s.found, s.catalogue.Backend),
		}
		return e.Advise("Leave target_format out, or convert the file beforehand: qemu-img convert -O %s. %s", s.targetFormat, support.Note)
	}
	return nil
}

func article(kind string) string {
	if kind == kindISO {
		return "an ISO"
	}
	return "a disk"
}

// plain reports whether any bytes can be in a format: nothing in them tells.
func plain(format string) bool {
	return format == string(diskimage.Raw) || format == string(diskimage.ISO)
}

// digest is a fingerprint without what changes when a file is only touched.
func digest(fingerprint string) string {
	head, _, _ := strings.Cut(fingerprint, " ")
	if sum, err := diskimage.ParseChecksum(head); err == nil && sum.Hex != "" {
		return head
	}
	return fingerprint
}

// comparable reports whether two fingerprints can tell by themselves that the
// content differs: digests of the same algorithm.
func comparable(a, b string) bool {
	x, errA := diskimage.ParseChecksum(digest(a))
	y, errB := diskimage.ParseChecksum(digest(b))
	return errA == nil && errB == nil && x.Hex != "" && x.Algorithm == y.Algorithm
}

func invalid(at backends.Path, format string, args ...any) *backends.Error {
	return &backends.Error{Code: backends.Invalid, Path: at, Err: fmt.Errorf(format, args...)}
}

// codes says what a failed transfer means to a user of the provider. Nothing of
// it is the hypervisor's: wrong credentials here are not the provider's.
var codes = map[diskimage.Kind]backends.Code{
	diskimage.Invalid:     backends.Invalid,
	diskimage.NotFound:    backends.Invalid,
	diskimage.Denied:      backends.Invalid,
	diskimage.Unreachable: backends.Transient,
	diskimage.Incomplete:  backends.Transient,
	diskimage.Mismatch:    backends.Invalid,
	diskimage.Changed:     backends.Conflict,
	diskimage.TooLarge:    backends.Invalid,
	diskimage.Unsupported: backends.Invalid,
	diskimage.Damaged:     backends.Invalid,
}

// blame finds the attribute that an error of the transfer is about. blame(nil) is nil, and io.EOF itself.
func (s *source) blame(err error) error {
	if diskimage.KindOf(err) == diskimage.Mismatch {
		return blame(err, "checksum")
	}
	return blame(err, s.attribute)
}

// blame gives an error of the transfer a code and an attribute. Drivers wrap
// what the reader answers, so it looks through the whole chain; what else they
// say of it is kept. Other errors are returned as they are.
func blame(err error, at backends.Path) error {
	kind := diskimage.KindOf(err)
	if kind == 0 {
		return err
	}
	e := &backends.Error{Err: err}
	var wrapped *backends.Error
	if errors.As(err, &wrapped) {
		c := *wrapped
		e = &c
	}
	if e.Path == "" {
		e.Path = at
	}
	e.Code = backends.Internal
	if code, ok := codes[kind]; ok {
		e.Code = code
	}
	return e
}
