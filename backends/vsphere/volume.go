package vsphere

import (
	"context"
	"path"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
)

// Disks with a life of their own are VMDKs that belong to no VM; their id is their datastore path. Disks of VMs are known
// by theirs too, as are those that a VM left behind.

// CreateDisk makes a disk that reads as zeros.
func (b *Backend) CreateDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	v, err := b.createDisk(ctx, spec)
	return v, backends.Wrap(diskError(err), "create", backends.DiskObject(spec.Name))
}

func (b *Backend) createDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	want, err := volumeSpec(spec)
	if err != nil {
		return backends.Volume{}, err
	}
	d := spec.Disk
	place, err := b.inv.Place(ctx, backends.PlacementSpec{Storage: d.Storage})
	if err != nil {
		return backends.Volume{}, err
	}
	need := int64(0)
	if want.DiskType != string(types.VirtualDiskTypeThin) {
		need = *d.SizeGiB * gib
	}
	o, err := b.inv.Storage(ctx, place, d.Storage, need)
	if err != nil {
		return backends.Volume{}, err
	}
	if d.Policy != nil && *d.Policy != "" {
		if want.Profile, err = b.policyFor(ctx, *d.Policy, o); err != nil {
			return backends.Volume{}, blame(err, "policy")
		}
	}
	x, err := b.inv.Index(ctx)
	if err != nil {
		return backends.Volume{}, err
	}
	store, file := datastore.New(b.conn, x, o), path.Join(ourFolder, spec.Name+".vmdk")
	there, err := store.List(ctx, ourFolder)
	if err != nil {
		return backends.Volume{}, err
	}
	for _, f := range there {
		if f.Name == path.Base(file) {
			return backends.Volume{}, backends.Errorf(backends.Conflict, "", "", "there is already a file %q", store.Path(file)).
				At("name").Advise("Choose another name, or import the existing disk under its id %q.", store.Path(file))
		}
	}
	if len(there) == 0 {
		if err := store.MakeFolder(ctx, ourFolder); err != nil {
			return backends.Volume{}, err
		}
	}
	if err := store.CreateDisk(ctx, file, want); err != nil {
		if backends.CodeOf(err) != backends.Conflict { // another one's
			err = datastore.Undo(ctx, err, `the file "`+store.Path(file)+`"`, func(ctx context.Context) error { return store.RemoveDisk(ctx, file) })
		}
		return backends.Volume{}, err
	}
	v := backends.Volume{ID: store.Path(file), Name: spec.Name, Path: store.Path(file), Disk: backends.Disk{
		SizeGiB: d.SizeGiB, Storage: &store.Name, Format: new("vmdk"), Provisioning: new(provisioningOf(want.DiskType)), Policy: d.Policy,
	}}
	f, err := store.Stat(ctx, file)
	if err != nil {
		return v, err
	}
	v.Disk.SizeGiB = new(wholeGiB(f.CapacityBytes))
	return v, nil
}

// volumeSpec is a disk as vSphere takes it.
func volumeSpec(spec backends.DiskSpec) (*types.FileBackedVirtualDiskSpec, error) {
	d := spec.Disk
	refuse := func(code backends.Code, path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(code, "", "", format, args...).At(path)
	}
	switch {
	case spec.Name == "" || len(spec.Name) > 80 || strings.ContainsAny(spec.Name, "/\\\x00[]*?") || strings.HasPrefix(spec.Name, "."):
		return nil, refuse(backends.Invalid, "name", "%q is no name for a disk", spec.Name).
			Advise("A name has up to 80 characters, no slash, bracket or wildcard, and does not begin with a dot.")
	case d.SizeGiB == nil || *d.SizeGiB < 1 || *d.SizeGiB > 62<<10:
		return nil, refuse(backends.Invalid, "size_gib", "a disk has 1 GiB to 62 TiB")
	case d.Format != nil && *d.Format != "vmdk":
		return nil, refuse(backends.Unsupported, "format", "vSphere stores disks as vmdk only, not as %s", *d.Format)
	}
	kinds := map[string]types.VirtualDiskType{
		"": types.VirtualDiskTypeThin, "thin": types.VirtualDiskTypeThin,
		"thick": types.VirtualDiskTypePreallocated, "eager_zeroed": types.VirtualDiskTypeEagerZeroedThick,
	}
	kind, ok := kinds[value(d.Provisioning)]
	if !ok {
		return nil, refuse(backends.Invalid, "provisioning", "disks are thin, thick or eager_zeroed, not %s", *d.Provisioning)
	}
	return newVolumeSpec(string(kind), *d.SizeGiB), nil
}

func newVolumeSpec(kind string, sizeGiB int64) *types.FileBackedVirtualDiskSpec {
	return &types.FileBackedVirtualDiskSpec{
		VirtualDiskSpec: types.VirtualDiskSpec{DiskType: kind, AdapterType: string(types.VirtualDiskAdapterTypeLsiLogic)},
		CapacityKb:      sizeGiB * gib / 1024,
	}
}

func provisioningOf(diskType string) string {
	switch types.VirtualDiskType(diskType) {
	case types.VirtualDiskTypeThin:
		return "thin"
	case types.VirtualDiskTypeEagerZeroedThick:
		return "eager_zeroed"
	default:
		return "thick"
	}
}

// wholeGiB is a size as the seam tells it.
func wholeGiB(bytes int64) int64 { return max(bytes/gib, 1) }

// diskError blames a disk's attributes, where what chose its place blamed a VM's.
func diskError(err error) error {
	e, ok := err.(*backends.Error) //nolint:errorlint // what is wrapped has its own
	if !ok || !strings.HasPrefix(string(e.Path), "placement.") {
		return err
	}
	if e.Path == "placement.storage" {
		return e.At("storage")
	}
	return e.At("")
}
