package vsphere

import (
	"context"
	"path"

	"github.com/google/uuid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/nfc"
)

// putISO writes an ISO under a name of its own, and gives it that of the image once it is whole: what has the name is complete.
func (a *arrival) putISO(ctx context.Context, to *imageFile) error {
	if a.source.LibraryItem != "" {
		return a.copyLibraryISO(ctx, to)
	}
	content, err := a.source.Open(ctx)
	if err != nil {
		return nfc.ContentError(err)
	}
	defer content.Reader.Close() //nolint:errcheck // read to its end, or given up
	if content.Format != "iso" {
		return backends.Errorf(backends.Invalid, "", "", "the image is a %s, not an ISO 9660 image", content.Format).At("kind")
	}
	if err := a.room(ctx, content); err != nil {
		return err
	}
	part := path.Join(path.Dir(to.file), "."+path.Base(to.file)+"."+uuid.NewString()[:8]+".part")
	err = a.upload(ctx, to.store, part, content)
	if err == nil {
		err = to.unlessMade(ctx, to.store.Move(ctx, part, to.file))
	}
	if err != nil {
		return datastore.Undo(ctx, err, `the file "`+to.store.Path(part)+`"`, func(ctx context.Context) error { return to.store.Remove(ctx, part) })
	}
	return nil
}

// upload writes a file and reads back whether all of it is there.
func (a *arrival) upload(ctx context.Context, d *datastore.Datastore, file string, c *backends.Content) error {
	last := -1
	sent, err := d.Put(ctx, file, c.Reader, c.Size, func(n int64) {
		percent := -1
		if c.Size > 0 {
			percent = int(100 * n / c.Size)
		}
		if step := int(n >> 20); step != last {
			last = step
			backends.Report(ctx, backends.Progress{Op: "upload image", Object: a.object(), Percent: percent, Done: n, Total: c.Size})
		}
	})
	if err != nil {
		return err
	}
	f, err := d.Stat(ctx, file)
	if err != nil {
		return err
	}
	if f.Bytes != sent {
		return backends.Errorf(backends.Transient, "", "", "the upload is not what was sent: the file has %d bytes instead of %d", f.Bytes, sent)
	}
	return nil
}
