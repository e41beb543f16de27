package storage

import (
	"context"
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// Receive streams a disk's content into the new volume spec.Ref, converts it, and returns the
// volume. spec.From is not used.
//
// Format "" keeps qcow2 and raw as they come and makes qcow2 of everything else, or raw where
// the pool has no files. CapacityBytes 0 is what a guest sees of the content; a larger volume
// is grown, a smaller one is Invalid. A name that is taken is a Conflict before anything is read.
//
// What qemu-img on the host can read is converted there, from a volume beside the new one
// that is gone when Receive returns; the rest is converted as it passes. Content that was cut
// short is found also where its source does not tell. Next to an error nothing is left behind, or the
// error names it. What a provider left that crashed in the middle, Discard removes.
//
// The content is read to its end, but not closed. As with Upload, its reader must obey ctx.
func (s *Store) Receive(ctx context.Context, spec Spec, content *backends.Content) (Volume, error) {
	unlock, err := s.lock(ctx, spec.Ref)
	if err != nil {
		return Volume{}, backends.Wrap(err, "receive", volumeObject(spec.Ref))
	}
	defer unlock()
	v, err := s.receiveNew(ctx, spec, content)
	return v, backends.Wrap(err, "receive", volumeObject(spec.Ref))
}

func (s *Store) receiveNew(ctx context.Context, spec Spec, content *backends.Content) (Volume, error) {
	pool, err := s.usablePool(ctx, spec.Pool)
	if err != nil {
		return Volume{}, err
	}
	switch _, err := s.Get(ctx, spec.Ref); {
	case err == nil:
		return Volume{}, backends.Errorf(backends.Conflict, "", "", "the storage pool %q already has a volume %q", spec.Pool, spec.Name)
	case !isNoVolume(err):
		return Volume{}, err
	}
	in, err := planReception(spec, pool, content)
	if err != nil {
		return Volume{}, err
	}
	return s.receive(ctx, in)
}

// Discard removes a volume and what an interrupted Receive of it left. NotFound where
// there is neither.
func (s *Store) Discard(ctx context.Context, ref Ref) error {
	// First what only its name leads to: if the other cannot be removed, it still leads there.
	part := s.Delete(ctx, incomingOf(ref))
	if part != nil && backends.CodeOf(part) != backends.NotFound {
		return part
	}
	err := s.Delete(ctx, ref)
	if isNoVolume(err) && part == nil {
		return nil
	}
	return err
}

// route is the way that content takes into a pool.
type route int

const (
	asIs     route = iota // uploaded into the volume byte by byte
	onHost                // uploaded into another volume, from which libvirt makes the volume
	inStream              // made raw as it passes, and uploaded like that
	bothWays              // made raw as it passes, into another volume, from which libvirt makes the volume
)

// reception is content on its way into a volume, as planned.
type reception struct {
	Spec
	route   route
	files   bool // the pool keeps files
	content *backends.Content
}

// hostFormats are the formats that libvirt recognises in a volume and that qemu-img reads,
// as libvirt calls them. VHDX it does not know, and of VHD (vpc) only the dynamic ones, not those
// that can be told from a raw disk by their end alone.
var hostFormats = map[string]string{
	"raw": "raw", "iso": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi",
}

// planReception finds the way for content into a pool, or says why there is none. It reads nothing.
func planReception(spec Spec, pool backends.Storage, c *backends.Content) (reception, error) {
	in := reception{files: HasFiles(pool.Kind), content: c}
	from := c.Format
	if from == "iso" {
		from = "raw"
	}
	if spec.Format == "" {
		spec.Format = natural(from, spec.Provisioning, in.files)
	}
	_, readable := hostFormats[c.Format]
	switch {
	case !readable && !diskimage.Convertible(diskimage.Format(c.Format)):
		return in, backends.Errorf(backends.Unsupported, "", "", "the image is a %s, which is no disk that libvirt can keep", c.Format).At("format")
	case c.VirtualSize < 0 && (!readable || !in.files && c.Format == "qcow2"):
		return in, backends.Errorf(backends.Invalid, "", "", "the image does not say how large the disk in it is").At("format").
			Advise("Convert it first: qemu-img convert -O qcow2 IMAGE IMAGE.qcow2.")
	}
	size := c.VirtualSize
	if size < 0 && from == "raw" {
		size = c.Size
	}
	asked := spec.CapacityBytes
	// Such a copy is what most ways end with.
	spec.From = &Ref{}
	var err error
	if in.Spec, err = spec.complete(pool.Kind, &Volume{CapacityBytes: max(size, 512)}); err != nil {
		return in, err
	}
	in.From, in.CapacityBytes = nil, asked
	in.route = in.choose(from, readable)
	return in, in.fits(pool, size)
}

// natural is the format that content is kept in where none is asked for.
func natural(from, provisioning string, files bool) string {
	switch {
	case !files, from == "raw", provisioning != "" && provisioning != "thin":
		return "raw"
	}
	return "qcow2"
}

func (in reception) choose(from string, readable bool) route {
	thickQCOW2 := in.Format == "qcow2" && in.Provisioning == "thick"
	switch {
	case from == in.Format && !thickQCOW2:
		return asIs
	case !in.files:
		return inStream
	case readable:
		return onHost
	case in.Format == "raw":
		return inStream
	}
	return bothWays
}

// fits refuses what is known to be too large. A file may have holes, which take no space.
func (in reception) fits(pool backends.Storage, size int64) error {
	need := in.content.Size
	if need < 0 && in.route == asIs && !in.files {
		return backends.Errorf(backends.Unsupported, "", "", "the length of the image is not known, and the storage pool %q of type %s needs it", pool.Name, pool.Kind).
			At("storage").Advise("Choose a pool of directories, or an image that is not compressed.")
	}
	room := pool.FreeBytes
	switch {
	case !in.files || in.Provisioning == "thick":
		need = max(size, in.CapacityBytes)
	case in.route == inStream || in.route == bothWays:
		return nil
	case hostFormats[in.content.Format] == "raw":
		room = pool.CapacityBytes
	}
	if need <= room {
		return nil
	}
	return backends.Errorf(backends.Exhausted, "", "", "the image needs %d MiB, and the storage pool %q has %d MiB left",
		(need+1<<20-1)>>20, pool.Name, pool.FreeBytes>>20).
		At("storage").Advise("Free space on the storage, or choose another one.")
}

// receive carries a reception out. The volume does not exist; next to an error it does not either.
func (s *Store) receive(ctx context.Context, in reception) (Volume, error) {
	switch in.route {
	case onHost, bothWays:
		return s.receiveBeside(ctx, in)
	default:
		v, err := s.receiveInto(ctx, in)
		if err != nil {
			return Volume{}, err
		}
		return s.grow(ctx, v, in.CapacityBytes)
	}
}

// receiveInto makes the volume and writes the content into it. The volume begins as a raw one, so that
// its content is exactly what is written.
func (s *Store) receiveInto(ctx context.Context, in reception) (Volume, error) {
	p, err := s.pool(ctx, in.Pool)
	if err != nil {
		return Volume{}, err
	}
	raw := Spec{Ref: in.Ref, CapacityBytes: in.content.Size, Format: "raw", Provisioning: in.Provisioning}
	if in.route == inStream || in.route == bothWays {
		raw.CapacityBytes = in.content.VirtualSize
	}
	// Of unknown length: the file grows as it is written.
	raw.CapacityBytes = max(raw.CapacityBytes, 512)
	if in.Format == "raw" { // and not only on its way to become something else
		raw.CapacityBytes = max(raw.CapacityBytes, in.CapacityBytes)
	}
	if err := s.createXML(ctx, p, raw, nil); err != nil {
		return Volume{}, err
	}
	v, err := s.fill(ctx, in)
	if err != nil {
		return Volume{}, s.undo(ctx, in.Ref, err)
	}
	return v, nil
}

// fill writes the content into the raw volume in.Ref and reads back what libvirt makes of it.
func (s *Store) fill(ctx context.Context, in reception) (Volume, error) {
	converted := in.route == inStream || in.route == bothWays
	var n int64
	var err error
	if converted {
		err = s.uploadRaw(ctx, in.Ref, in.content)
	} else {
		//nolint:contextcheck // it ends with the reader, which the transfer ends with ctx
		watched, stop := diskimage.Watch(in.content.Reader, diskimage.Format(in.content.Format))
		n, err = s.upload(ctx, in.Ref, watched, in.content.Size)
		stop()
	}
	if err != nil {
		return Volume{}, err
	}
	if err := s.refresh(ctx, in.Pool); err != nil {
		return Volume{}, err
	}
	v, err := s.Get(ctx, in.Ref)
	if err != nil {
		return v, err
	}
	if converted {
		return v, verifyRaw(v, in.content)
	}
	return v, verify(v, in.content, n)
}

// verify holds what libvirt says of an uploaded volume against what was sent.
func verify(v Volume, c *backends.Content, sent int64) error {
	wrong := func(format string, args ...any) error {
		return backends.Errorf(backends.Internal, "", "", "the upload is not what was sent: "+format, args...)
	}
	plain := hostFormats[c.Format] == "raw"
	size := c.VirtualSize
	if plain {
		size = sent
	}
	switch {
	case c.Size >= 0 && sent != c.Size:
		return backends.Errorf(backends.Transient, "", "", "the image has %d bytes, but %d were received", c.Size, sent)
	case v.Format != hostFormats[c.Format] && v.Format != c.Format && (!plain || hostFormats[v.Format] != "raw" && hostFormats[v.Format] != ""):
		return wrong("libvirt takes it for a %s, not a %s", v.Format, c.Format)
	case v.Backing != "":
		return backends.Errorf(backends.Unsupported, "", "", "the image holds only the differences to another file").
			Advise("Make it complete with: qemu-img convert -O qcow2.")
	case v.CapacityBytes < size:
		return wrong("libvirt sees %d bytes instead of %d", v.CapacityBytes, size)
	}
	return nil
}

// verifyRaw does the same for content that was made raw on its way. Other than that it has the right
// size, there is nothing that libvirt could know of it.
func verifyRaw(v Volume, c *backends.Content) error {
	if v.CapacityBytes < c.VirtualSize {
		return backends.Errorf(backends.Internal, "", "", "the upload is not what was sent: libvirt sees %d bytes instead of %d", v.CapacityBytes, c.VirtualSize)
	}
	return nil
}

// receiveBeside uploads the content into another volume of the pool and has libvirt make the
// volume from that one.
func (s *Store) receiveBeside(ctx context.Context, in reception) (v Volume, err error) {
	beside := in
	beside.Ref, beside.Format, beside.Provisioning, beside.CapacityBytes = incomingOf(in.Ref), "", "thin", 0
	if err := s.Delete(ctx, beside.Ref); err != nil && !isNoVolume(err) {
		return Volume{}, err
	}
	origin, err := s.receiveInto(ctx, beside)
	if err != nil {
		return Volume{}, err
	}
	defer func() {
		if gone := s.dropIncoming(ctx, beside.Ref); gone != nil && err == nil {
			v, err = Volume{}, s.undo(ctx, in.Ref, gone)
		} else if gone != nil {
			e := *conn.Classify(err)
			e.Err = fmt.Errorf("%w; and %s is left behind, because it could not be removed: %w", e.Err, volumeObject(beside.Ref), gone)
			err = &e
		}
	}()
	if beside.route == bothWays && origin.Format != "raw" {
		// Only a disk that begins like an image of another format can do that.
		return Volume{}, backends.Errorf(backends.Unsupported, "", "", "the disk in the image looks like a %s image itself", origin.Format).At("target_format").
			Advise(`Set target_format = "raw".`)
	}
	s.sweep(ctx, beside.Ref)
	spec := in.Spec
	spec.From = &beside.Ref
	backends.Report(ctx, backends.Progress{Op: "convert", Object: volumeObject(in.Ref), Percent: -1, Total: -1})
	return s.create(ctx, spec)
}

// grow gives a new volume the size that was asked for.
func (s *Store) grow(ctx context.Context, v Volume, bytes int64) (Volume, error) {
	if bytes <= v.CapacityBytes {
		return v, nil
	}
	err := s.resize(ctx, v.Ref, bytes, 0)
	if err == nil {
		v, err = s.Get(ctx, v.Ref)
	}
	if err != nil {
		return Volume{}, s.undo(ctx, v.Ref, err)
	}
	return v, nil
}
