package proxmox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// stagePrefix begins the names of files that disks are made of, and that are removed then.
const stagePrefix = "virtrigaud-import-"

// stageOf chooses the storage that files go to on their way to a disk: of the type import, which Proxmox VE has since 8.2.
func (b *Backend) stageOf(place landing) (string, error) {
	w := place.world
	for _, name := range append([]string{place.storage}, b.preferred(w, nil)...) {
		if w.takes(name, "import") {
			return name, nil
		}
	}
	return "", backends.Errorf(backends.Precondition, "", "", "no storage of the node %q takes files to make disks of (content type import)", place.node).At("storage").
		Advise("Switch the type on at a storage of files: pvesm set STORAGE --content ...,import (Proxmox VE 8.2 and later).")
}

// staged is a file that a disk is made of.
type staged struct {
	volume string
	format string
	bytes  int64 // that a guest sees
}

// stage brings a disk's content to a node as a file.
func (a *arrival) stage(ctx context.Context, place landing, c *backends.Content, open func(context.Context) (*backends.Content, error)) (staged, error) {
	storage, err := a.stageOf(place)
	if err != nil {
		_ = c.Reader.Close() // nothing was read
		return staged{}, err
	}
	s := staged{format: c.Format}
	if !slices.Contains([]string{"qcow2", "raw", "vmdk"}, s.format) {
		s.format = "raw"
	}
	s.volume = fmt.Sprintf("%s:import/%s%s.%s", storage, stagePrefix, rand.Text()[:12], s.format)
	place.storage, place.facts = storage, place.world.Storages[storage]
	info, err := a.transfer(ctx, place, s.volume, c, open)
	s.bytes = int64(info.Size)
	if err == nil {
		a.sweepStage(ctx, place.node, s.volume)
	}
	return s, err
}

// stale is how old a file on its way to a disk is that nobody makes one of any more: whoever brought it was killed.
const stale = 24 * time.Hour

// sweepStage removes files beside a new one on their way to a disk that were left long before it, by the clock of the storage. What cannot be
// looked for stays.
func (a *arrival) sweepStage(ctx context.Context, node, volume string) {
	files, err := a.content(ctx, node, vmconf.ParseVolume(volume).Storage, url.Values{"content": {"import"}})
	at := slices.IndexFunc(files, func(f volumeRow) bool { return string(f.VolID) == volume })
	if err != nil || at < 0 {
		return
	}
	for _, f := range files {
		age := time.Duration(files[at].CTime-f.CTime) * time.Second
		if string(f.VolID) == volume || !strings.Contains(string(f.VolID), ":import/"+stagePrefix) || age < a.stale {
			continue
		}
		if err := a.freeVolume(ctx, node, string(f.VolID)); backends.CodeOf(err) == backends.Canceled {
			return
		}
	}
}

// bring opens the source and makes a file of it.
func (a *arrival) bring(ctx context.Context, place landing, volume string) (volumeInfo, error) {
	c, err := a.open(ctx)
	if err != nil {
		return volumeInfo{}, err
	}
	return a.transfer(ctx, place, volume, c, a.open)
}

func (a *arrival) open(ctx context.Context) (*backends.Content, error) {
	c, err := a.source.Open(ctx)
	if err != nil {
		return nil, contentError(ctx, err)
	}
	if a.spec.Kind == "iso" && c.Format != "iso" {
		_ = c.Reader.Close() // nothing was read
		return nil, backends.Errorf(backends.Invalid, "", "", "the image is a %s, not an ISO 9660 image", c.Format).At("kind")
	}
	return c, nil
}

// transfer makes a file of content: the node fetches it where it can, else it is sent. Where it fails nothing is left.
func (a *arrival) transfer(ctx context.Context, place landing, volume string, c *backends.Content, open func(context.Context) (*backends.Content, error)) (volumeInfo, error) {
	if a.spec.Kind != "ova" && a.fetchable(c) {
		_ = c.Reader.Close() // its beginning was what had to be known
		info, err := a.fetch(ctx, place, volume, c)
		switch code := backends.CodeOf(err); {
		case err == nil, ctx.Err() != nil, code == backends.Exhausted, code == backends.Conflict: // another run's file, which an upload would replace
			return info, err
		}
		if c, err = open(ctx); err != nil {
			return volumeInfo{}, err
		}
	}
	defer func() { _ = c.Reader.Close() }() // read to its end, or given up
	size, r, err := a.sized(ctx, volume, &c, open)
	if err != nil {
		return volumeInfo{}, err
	}
	if free := place.facts.Free; free > 0 && size > free {
		return volumeInfo{}, backends.Errorf(backends.Exhausted, "", "", "it has %d bytes, and the storage %q has %d left", size, place.storage, free).At("storage").
			Advise("Free space on the storage, or name another one.")
	}
	if err := a.upload(ctx, place.node, volume, a.object(), size, r); err != nil {
		return volumeInfo{}, contentError(ctx, err)
	}
	return a.arrived(ctx, place.node, volume, c)
}

// arrived holds the file that there is now against what was sent.
func (a *arrival) arrived(ctx context.Context, node, volume string, c *backends.Content) (volumeInfo, error) {
	info, err := a.volumeInfo(ctx, node, volume)
	if err == nil {
		want := c.VirtualSize
		if want < 0 && (c.Format == "raw" || c.Format == "iso") {
			want = c.Size
		}
		if want >= 0 && int64(info.Size) != want && c.Format != "iso" || c.Format == "iso" && c.Size >= 0 && int64(info.Size) != c.Size {
			err = backends.Errorf(backends.Transient, "", "", "the file on the storage has %d bytes for a guest, and its source %d", int64(info.Size), max(want, c.Size))
		}
	}
	if err != nil {
		a.discard(ctx, node, volume)
	}
	return info, err
}

// sized returns content with its size, which Proxmox VE wants to know before a file. Formats that it does not know are made raw. Where a size is not
// known, the source is read twice.
func (a *arrival) sized(ctx context.Context, volume string, c **backends.Content, open func(context.Context) (*backends.Content, error)) (int64, io.Reader, error) {
	have := *c
	if format := path.Ext(volume)[1:]; format == "raw" && have.Format != "raw" {
		if have.VirtualSize < 0 {
			return 0, nil, backends.Errorf(backends.Unsupported, "", "", "the size of the %s image is not known before it is read", have.Format)
		}
		r, err := diskimage.NewRawReader(ctx, have.Reader, diskimage.Format(have.Format))
		return have.VirtualSize, r, err
	}
	if have.Size >= 0 {
		return have.Size, have.Reader, nil
	}
	if open == nil {
		return 0, nil, backends.Errorf(backends.Unsupported, "", "", "its size is not known before it is read")
	}
	n, err := io.Copy(io.Discard, have.Reader)
	_ = have.Reader.Close() // read to its end
	if err != nil {
		return 0, nil, contentError(ctx, err)
	}
	again, err := open(ctx)
	if err != nil {
		return 0, nil, err
	}
	*c = again
	return n, again.Reader, nil
}

// contentError is an error of the source as the cause of a failed import.
func contentError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return backends.Wrap(context.Cause(ctx), "", "")
	}
	var e *backends.Error
	if !errors.As(err, &e) || e.Op == "" || e.Err == nil {
		return err
	}
	out := *e
	out.Op, out.Object = "", ""
	out.Err = fmt.Errorf("u%s: %w", e.Summary()[1:], e.Err)
	return &out
}

// fetchable reports whether the node could get the same bytes by itself. A URL with credentials is not given away: it would be in
// the node's log of tasks.
func (a *arrival) fetchable(c *backends.Content) bool {
	u, err := url.Parse(a.source.URL)
	if a.source.URL == "" || err != nil || u.User != nil || u.RawQuery != "" || c.Size < 0 {
		return false
	}
	switch path.Ext(u.Path) {
	case ".gz", ".xz", ".zst", ".bz2", ".lzma", ".lzo":
		return false
	}
	return slices.Contains([]string{"qcow2", "raw", "vmdk", "iso"}, c.Format)
}

// fetch has the node get a file by its URL, and checks that it is what was seen at its beginning.
func (a *arrival) fetch(ctx context.Context, place landing, volume string, c *backends.Content) (volumeInfo, error) {
	v := vmconf.ParseVolume(volume)
	content, name, _ := strings.Cut(v.Name, "/")
	form := map[string]any{"url": a.source.URL, "content": content, "filename": name}
	if algorithm, sum, ok := strings.Cut(a.source.Checksum, ":"); ok && !strings.Contains(sum, "/") {
		form["checksum"], form["checksum-algorithm"] = sum, algorithm
	}
	_, err := a.conn.Task(ctx, "download", a.object(), "POST", pve.Path("nodes", place.node, "storage", v.Storage, "download-url"), form)
	if err != nil {
		if backends.CodeOf(err) != backends.Conflict { // what exists is another run's
			a.discard(ctx, place.node, volume)
		}
		return volumeInfo{}, err
	}
	return a.arrived(ctx, place.node, volume, c)
}
