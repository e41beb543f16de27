package datastore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/nfc"
)

// MakeFolder makes a directory, with those above it; one that exists is left as it is. On a datastore of objects, such as vSAN,
// a directory of the first level is a namespace, which only a vCenter makes.
func (d *Datastore) MakeFolder(ctx context.Context, dir string) error {
	const op = "make the directory"
	err := object.NewFileManager(d.conn.VIM()).MakeDirectory(ctx, d.Path(dir), d.datacenter(), true)
	if err == nil || govmomifault.Is(err, &types.FileAlreadyExists{}) {
		return nil
	}
	if govmomifault.Is(err, &types.CannotCreateFile{}) && d.conn.VCenter() {
		_, err := object.NewDatastoreNamespaceManager(d.conn.VIM()).
			CreateDirectory(ctx, object.NewDatastore(d.conn.VIM(), d.Ref), dir, "")
		if err == nil || govmomifault.Is(err, &types.FileAlreadyExists{}) {
			return nil
		}
	}
	return fault.Wrap(err, op, d.object(dir))
}

// Put writes a file, in place of one that may exist, and returns how many bytes it sent. Closing r has to end a Read that waits.
// size is how many bytes r yields, -1 where that is not known. progress, where it is not nil, is told how many were sent so far.
// Next to an error there may be a part of the file.
func (d *Datastore) Put(ctx context.Context, file string, r io.ReadCloser, size int64, progress func(int64)) (sent int64, err error) {
	u := object.NewDatastoreURL(*d.conn.VIM().URL(), d.datacenterPath, inventory.Escape(d.Name), file)
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	sent, err = nfc.Send(ctx, d.conn.VIM().Client, http.MethodPut, u, header, nfc.NewBody(r, r, progress), size)
	return sent, backends.Wrap(err, "upload", d.object(file))
}

// Move renames a file. One that has the new name is a Conflict.
func (d *Datastore) Move(ctx context.Context, from, to string) error {
	_, err := d.conn.Await(ctx, "rename", d.object(from), func(ctx context.Context) (*object.Task, error) {
		dc := d.datacenter()
		return object.NewFileManager(d.conn.VIM()).MoveDatastoreFile(ctx, d.Path(from), dc, d.Path(to), dc, false)
	})
	return err
}

// Copy copies a file, given by its datastore path, to one of this datastore. One that has the new name is a Conflict.
func (d *Datastore) Copy(ctx context.Context, from, to string) error {
	_, err := d.conn.Await(ctx, "copy", `file "`+from+`"`, func(ctx context.Context) (*object.Task, error) {
		dc := d.datacenter()
		return object.NewFileManager(d.conn.VIM()).CopyDatastoreFile(ctx, from, dc, d.Path(to), dc, false)
	})
	return err
}

// Remove deletes a file that is no virtual disk; one that is gone is fine.
func (d *Datastore) Remove(ctx context.Context, file string) error {
	_, err := d.conn.Await(ctx, "delete", d.object(file), func(ctx context.Context) (*object.Task, error) {
		return object.NewFileManager(d.conn.VIM()).DeleteDatastoreFile(ctx, d.Path(file), d.datacenter())
	})
	if backends.CodeOf(err) == backends.NotFound {
		return nil
	}
	return err
}

// undoLimit bounds what is removed after a failure.
const undoLimit = 15 * time.Second

// Undo removes with what a failed operation left, also when ctx has ended, and returns the operation's cause.
func Undo(ctx context.Context, cause error, what string, remove func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	err := remove(ctx)
	if err == nil || backends.CodeOf(err) == backends.NotFound {
		return cause
	}
	var e *backends.Error
	if !errors.As(cause, &e) {
		return fmt.Errorf("%w; and %s is left behind, because it could not be removed: %w", cause, what, err)
	}
	c := *e
	c.Err = fmt.Errorf("%w; and %s is left behind, because it could not be removed: %w", e.Err, what, err)
	return &c
}
