package vsphere

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"path"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// What is ours on a datastore is below one directory: volumes and ISOs in it, disks of images in another one below.
const (
	ourFolder   = "virtrigaud"
	imageFolder = ourFolder + "/images"
)

// A file that is an image has another one beside it, which says by its name that the first is complete and what its fingerprint is, so that
// one listing tells all: "debian.iso.fc2hh....image". Fingerprints that are too long for a name are not kept, and match nothing.
const (
	labelSuffix    = ".image"
	maxFingerprint = 130
)

func labelOf(file, fingerprint string) string {
	if len(fingerprint) > maxFingerprint {
		fingerprint = ""
	}
	return file + ".f" + base64.RawURLEncoding.EncodeToString([]byte(fingerprint)) + labelSuffix
}

// readLabel takes the name of such a file apart.
func readLabel(name string) (file, fingerprint string, ok bool) {
	name, ok = strings.CutSuffix(name, labelSuffix)
	dot := strings.LastIndex(name, ".f")
	if !ok || dot <= 0 {
		return "", "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(name[dot+2:])
	return name[:dot], string(text), err == nil
}

// imageFile is a file of a datastore that is an image.
type imageFile struct {
	store       *datastore.Datastore
	file        string // with its directory
	info        datastore.File
	fingerprint string
	labels      []string // of the file, with their directory
}

func (f *imageFile) image() backends.Image {
	img := backends.Image{
		ID: f.store.Path(f.file), Path: f.store.Path(f.file), Storage: f.store.Name,
		Name: strings.TrimSuffix(path.Base(f.file), path.Ext(f.file)), Kind: "iso", Format: "iso",
		SizeBytes: f.info.Bytes, Allocated: f.info.Bytes, Fingerprint: f.fingerprint,
	}
	if path.Ext(f.file) == ".vmdk" {
		img.Kind, img.Format, img.SizeBytes = "disk", "vmdk", f.info.CapacityBytes
	}
	return img
}

// folderImages are the images in a directory, by their file; with a name only that of the name, whether it has a label or not.
func folderImages(ctx context.Context, d *datastore.Datastore, dir, name string) (map[string]*imageFile, error) {
	var patterns []string
	if name != "" {
		patterns = []string{name, name + ".f*" + labelSuffix}
	}
	files, err := d.List(ctx, dir, patterns...)
	if err != nil {
		return nil, err
	}
	all := map[string]*imageFile{}
	for _, f := range files {
		if !f.Folder && !strings.HasSuffix(f.Name, labelSuffix) && (name == "" || f.Name == name) {
			all[f.Name] = &imageFile{store: d, file: path.Join(dir, f.Name), info: f}
		}
	}
	for _, f := range files {
		file, fingerprint, ok := readLabel(f.Name)
		if image := all[file]; ok && image != nil {
			image.fingerprint = fingerprint
			image.labels = append(image.labels, path.Join(dir, f.Name))
		}
	}
	return all, nil
}

// fileImage reads an image that is a file. Any ISO or disk can serve as one, also without a fingerprint.
func (b *Backend) fileImage(ctx context.Context, id string) (backends.Image, error) {
	f, err := b.imageFile(ctx, id)
	if err != nil {
		return backends.Image{}, err
	}
	return f.image(), nil
}

func (b *Backend) imageFile(ctx context.Context, id string) (*imageFile, error) {
	none := backends.Errorf(backends.NotFound, "", "", "there is no image with this id: ids are those of templates, and datastore paths")
	name, file, ok := datastore.Parse(id)
	if !ok || path.Ext(file) != ".iso" && path.Ext(file) != ".vmdk" {
		return nil, none
	}
	d, err := b.storeNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	found, err := folderImages(ctx, d, path.Dir(file), path.Base(file))
	if err != nil {
		return nil, err
	}
	if f := found[path.Base(file)]; f != nil {
		return f, nil
	}
	return nil, none
}

// imageFiles lists the images that are files, of one datastore or, where only is zero, of all.
func (b *Backend) imageFiles(ctx context.Context, only inventory.Object) ([]backends.Image, error) {
	x, err := b.inv.Index(ctx)
	if err != nil {
		return nil, err
	}
	stores := x.Objects(inventory.Datastore)
	if only.Name != "" {
		stores = []inventory.Object{only}
	}
	dirs := []string{ourFolder}
	if !b.conn.VCenter() {
		dirs = append(dirs, imageFolder)
	}
	var all []backends.Image
	for _, o := range stores {
		for _, dir := range dirs {
			found, err := folderImages(ctx, datastore.New(b.conn, x, o), dir, "")
			if only.Name == "" && (backends.CodeOf(err) == backends.Precondition || backends.CodeOf(err) == backends.Auth) {
				continue // a datastore that cannot be looked at has nothing that could be used
			}
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				if len(f.labels) > 0 {
					all = append(all, f.image())
				}
			}
		}
	}
	return all, nil
}

// deleteFileImage removes a file that no VM has in a drive or as a disk.
func (b *Backend) deleteFileImage(ctx context.Context, id string) error {
	f, err := b.imageFile(ctx, id)
	if err != nil {
		return err
	}
	users, err := b.usersOf(ctx, f.store.Path(f.file))
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return backends.Errorf(backends.Precondition, "", "", "it is in use by %s", strings.Join(users, ", ")).Advise("Take it out of there first.")
	}
	return f.remove(ctx)
}

// remove deletes the file, and then what says that it is complete.
func (f *imageFile) remove(ctx context.Context) error {
	remove := f.store.Remove
	if path.Ext(f.file) == ".vmdk" {
		remove = f.store.RemoveDisk
	}
	if err := remove(ctx, f.file); err != nil {
		return err
	}
	for _, label := range f.labels {
		if err := f.store.Remove(ctx, label); err != nil {
			return err
		}
	}
	return nil
}

// usersOf names the VMs that have a file in a drive or as a disk, or share it, by one read of all VMs.
func (b *Backend) usersOf(ctx context.Context, file string) ([]string, error) {
	all, err := b.everyVM(ctx, []string{"name", "config.hardware.device"})
	if err != nil {
		return nil, err
	}
	var users []string
	for _, m := range all {
		if m.uses(file) {
			users = append(users, m.object())
		}
	}
	return users, nil
}

// uses reports whether the VM has a file in a drive or as a disk, or below one.
func (m *machine) uses(file string) bool {
	for _, d := range m.devices() {
		switch d := d.(type) {
		case *types.VirtualDisk:
			for _, f := range chainOf(d.Backing) {
				if f == file {
					return true
				}
			}
		case *types.VirtualCdrom:
			if iso, ok := d.Backing.(*types.VirtualCdromIsoBackingInfo); ok && iso.FileName == file {
				return true
			}
		}
	}
	return false
}

// file makes an image that is a file, unless there is one with the same content.
func (a *arrival) file(ctx context.Context) (backends.Image, error) {
	x, err := a.inv.Index(ctx)
	if err != nil {
		return backends.Image{}, err
	}
	d := datastore.New(a.conn, x, a.store)
	dir, ext := ourFolder, ".iso"
	if a.spec.Kind == "disk" {
		dir, ext = imageFolder, ".vmdk"
	}
	there, err := folderImages(ctx, d, dir, "")
	if err != nil {
		return backends.Image{}, err
	}
	target := &imageFile{store: d, file: path.Join(dir, a.spec.Name+ext), fingerprint: a.spec.Fingerprint}
	if old := there[path.Base(target.file)]; old != nil {
		return a.same(old)
	}
	if err := d.MakeFolder(ctx, dir); err != nil {
		return backends.Image{}, err
	}
	cached := false
	fill := a.putISO
	if a.spec.Kind == "disk" {
		fill = a.putDisk
	}
	for _, other := range there {
		if path.Ext(other.file) == ext && len(other.labels) > 0 && diskimage.SameContent(other.fingerprint, a.spec.Fingerprint) {
			cached, fill = true, func(ctx context.Context, to *imageFile) error { return to.copy(ctx, other) }
		}
	}
	label := labelOf(target.file, a.spec.Fingerprint)
	if err := fill(ctx, target); err != nil {
		return backends.Image{}, err
	}
	_, err = d.Put(ctx, label, io.NopCloser(bytes.NewReader([]byte(a.spec.Fingerprint+"\n"))), int64(len(a.spec.Fingerprint)+1), nil)
	if err == nil {
		target.info, err = d.Stat(ctx, target.file)
	}
	if err != nil {
		target.labels = []string{label}
		return backends.Image{}, datastore.Undo(ctx, err, `the file "`+d.Path(target.file)+`"`, target.remove)
	}
	img := target.image()
	img.Cached = cached
	return img, nil
}

// same is the image that has the name already, if it has the content.
func (a *arrival) same(old *imageFile) (backends.Image, error) {
	id := old.store.Path(old.file)
	switch {
	case len(old.labels) == 0:
		return backends.Image{}, backends.Errorf(backends.Conflict, "", "", "there is already a file %q, which was not made by this provider, or not to its end", id).
			At("name").Advise("To use it, give its id %q where an image is asked for. Else choose another name, or remove it.", id)
	case diskimage.SameContent(old.fingerprint, a.spec.Fingerprint):
		img := old.image()
		img.Cached = true
		return img, nil
	}
	return backends.Image{}, backends.Errorf(backends.Conflict, "", "", "there is already an image %q with other content", id).
		At("name").Advise("Choose another name, or import the existing image under its id %q.", id)
}

// copy makes the file from one that has the same content.
func (f *imageFile) copy(ctx context.Context, from *imageFile) error {
	source := from.store.Path(from.file)
	if path.Ext(f.file) == ".vmdk" {
		return f.unlessMade(ctx, f.store.CopyDisk(ctx, source, f.file, thinDisk()))
	}
	return f.unlessMade(ctx, f.store.Copy(ctx, source, f.file))
}

// unlessMade removes what an operation made that should have made the file and failed: its answer may be lost, or it was cancelled at its end.
// A file that was there before is a Conflict, and not ours.
func (f *imageFile) unlessMade(ctx context.Context, err error) error {
	if err == nil || backends.CodeOf(err) == backends.Conflict {
		return err
	}
	return datastore.Undo(ctx, err, `the file "`+f.store.Path(f.file)+`"`, f.remove)
}
