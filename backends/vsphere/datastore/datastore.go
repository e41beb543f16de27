// Package datastore works on the files and virtual disks of a datastore that are no VM's.
//
// Within a datastore a file's name is its path, "virtrigaud/debian.iso"; for everybody else it is the datastore path,
// "[fast] virtrigaud/debian.iso".
package datastore

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// Datastore is one datastore as a connection sees it.
type Datastore struct {
	inventory.Object
	conn           *conn.Conn
	datacenterPath string

	mu      sync.Mutex
	browser *object.HostDatastoreBrowser
}

// New returns the datastore o of an inventory. It calls nothing.
func New(c *conn.Conn, x *inventory.Index, o inventory.Object) *Datastore {
	d := &Datastore{Object: o, conn: c}
	if dc, ok := x.Object(o.Datacenter); ok {
		d.datacenterPath = strings.TrimPrefix(dc.Path, "/")
	}
	return d
}

// Path is the datastore path of a file.
func (d *Datastore) Path(file string) string {
	return (&object.DatastorePath{Datastore: inventory.Escape(d.Name), Path: file}).String()
}

// Parse takes a datastore path apart into the datastore's name and the file; ok is false where id is none, or names no file.
func Parse(id string) (datastore, file string, ok bool) {
	var p object.DatastorePath
	if !p.FromString(id) || p.Datastore == "" || p.Path == "" || strings.HasSuffix(p.Path, "/") {
		return "", "", false
	}
	return inventory.Unescape(p.Datastore), path.Clean(p.Path), true
}

// Object names a file in errors.
func (d *Datastore) object(file string) string { return `file "` + d.Path(file) + `"` }

func (d *Datastore) datacenter() *object.Datacenter {
	return object.NewDatacenter(d.conn.VIM(), d.Datacenter)
}

// File is a file of a datastore.
type File struct {
	Name   string // without its directory
	Bytes  int64
	Folder bool
	// CapacityBytes and Thin are told of virtual disks only.
	CapacityBytes int64
	Thin          bool
}

// List returns the files in a directory whose names match one of the patterns, all where none is given. A directory that
// does not exist has none.
func (d *Datastore) List(ctx context.Context, dir string, patterns ...string) ([]File, error) {
	files, err := d.list(ctx, dir, patterns)
	if backends.CodeOf(err) == backends.NotFound {
		return nil, nil
	}
	return files, backends.Wrap(err, "list files", d.object(dir))
}

func (d *Datastore) list(ctx context.Context, dir string, patterns []string) ([]File, error) {
	browser, err := d.browse(ctx)
	if err != nil {
		return nil, err
	}
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	// A query of disks alone tells what a guest sees of them; the other one finds the rest.
	spec := &types.HostDatastoreBrowserSearchSpec{
		MatchPattern: patterns,
		Details:      &types.FileQueryFlags{FileType: true, FileSize: true, Modification: true, FileOwner: false},
		Query: []types.BaseFileQuery{
			&types.VmDiskFileQuery{Details: &types.VmDiskFileQueryFlags{DiskType: true, CapacityKb: true, Thin: types.NewBool(true)}},
			&types.IsoImageFileQuery{},
			&types.FolderFileQuery{},
			&types.FileQuery{},
		},
	}
	info, err := d.conn.Await(ctx, "list files", d.object(dir), func(ctx context.Context) (*object.Task, error) {
		return browser.SearchDatastore(ctx, d.Path(dir), spec)
	})
	if err != nil {
		return nil, err
	}
	found, ok := info.Result.(types.HostDatastoreBrowserSearchResults)
	if !ok {
		return nil, backends.Errorf(backends.Internal, "list files", d.object(dir), "vSphere answered a %T", info.Result)
	}
	files := make([]File, 0, len(found.File))
	seen := map[string]bool{}
	for _, f := range found.File {
		file := describe(f)
		if !seen[file.Name] {
			files = append(files, file)
		}
		seen[file.Name] = true
	}
	return files, nil
}

func describe(f types.BaseFileInfo) File {
	info := f.GetFileInfo()
	file := File{Name: info.Path, Bytes: info.FileSize}
	switch f := f.(type) {
	case *types.FolderFileInfo:
		file.Folder = true
	case *types.VmDiskFileInfo:
		file.CapacityBytes = f.CapacityKb * 1024
		file.Thin = f.Thin != nil && *f.Thin
	}
	return file
}

// Stat returns one file, or NotFound.
func (d *Datastore) Stat(ctx context.Context, file string) (File, error) {
	files, err := d.list(ctx, path.Dir(file), []string{path.Base(file)})
	if err != nil && backends.CodeOf(err) != backends.NotFound {
		return File{}, backends.Wrap(err, "read", d.object(file))
	}
	for _, f := range files {
		if f.Name == path.Base(file) {
			return f, nil
		}
	}
	return File{}, backends.Errorf(backends.NotFound, "read", d.object(file), "the datastore has no such file")
}

func (d *Datastore) browse(ctx context.Context) (*object.HostDatastoreBrowser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.browser != nil {
		return d.browser, nil
	}
	var ds mo.Datastore
	err := property.DefaultCollector(d.conn.VIM()).RetrieveOne(ctx, d.Ref, []string{"browser"}, &ds)
	if err != nil {
		return nil, fault.Wrap(err, "read", `datastore "`+d.Name+`"`)
	}
	d.browser = object.NewHostDatastoreBrowser(d.conn.VIM(), ds.Browser)
	return d.browser, nil
}
