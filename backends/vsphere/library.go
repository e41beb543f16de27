package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/library/finder"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/vcenter"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// libraryPath is the attribute that names an item.
const libraryPath = backends.Path("content_library")

// libraryItem finds LIBRARY/ITEM among the content libraries.
func (a *arrival) libraryItem(ctx context.Context, r *rest.Client) (*library.Item, error) {
	name, item, ok := strings.Cut(a.source.LibraryItem, "/")
	if !ok || name == "" || item == "" {
		return nil, backends.Errorf(backends.Invalid, "", "", "%q does not have the form LIBRARY/ITEM", a.source.LibraryItem).At(libraryPath)
	}
	m := library.NewManager(r)
	ids, err := m.FindLibrary(ctx, library.Find{Name: name})
	if err != nil {
		return nil, fault.Wrap(err, "find the content library", "")
	}
	if len(ids) == 0 {
		all, err := m.GetLibraries(ctx)
		if err != nil {
			return nil, fault.Wrap(err, "list the content libraries", "")
		}
		var names []string
		for _, l := range all {
			names = append(names, l.Name)
		}
		return nil, unknownItem("content library", name, names)
	}
	var items []string
	for _, id := range ids {
		found, err := m.FindLibraryItems(ctx, library.FindItem{LibraryID: id, Name: item})
		if err != nil {
			return nil, fault.Wrap(err, "find the item of the content library", "")
		}
		items = append(items, found...)
	}
	switch len(items) {
	case 1:
		got, err := m.GetLibraryItem(ctx, items[0])
		return got, fault.Wrap(err, "read the item of the content library", "")
	case 0:
		var names []string
		for _, id := range ids {
			all, err := m.GetLibraryItems(ctx, id)
			if err != nil {
				return nil, fault.Wrap(err, "list the items of the content library", "")
			}
			for _, i := range all {
				names = append(names, i.Name)
			}
		}
		return nil, unknownItem(fmt.Sprintf("item in the content library %q called", name), item, names)
	}
	return nil, backends.Errorf(backends.Conflict, "", "", "there are %d items called %q", len(items), a.source.LibraryItem).At(libraryPath).
		Advise("Rename all but one of them.")
}

func unknownItem(what, name string, there []string) error {
	e := backends.Errorf(backends.NotFound, "", "", "there is no %s %q", what, name).At(libraryPath)
	if len(there) == 0 {
		return e.Advise("There are none that the provider's user can see.")
	}
	slices.Sort(there)
	return e.Advise("There are: %s.", strings.Join(there, ", "))
}

// fromLibrary makes the template of an item of a content library.
func (a *arrival) fromLibrary(ctx context.Context) (backends.ID, error) {
	r, err := a.conn.REST(ctx)
	if err != nil {
		return "", err
	}
	item, err := a.libraryItem(ctx, r)
	if err != nil {
		return "", err
	}
	deploy := map[string]func(context.Context, *rest.Client, string) (*types.ManagedObjectReference, error){
		library.ItemTypeOVF: a.deployOVF, library.ItemTypeVMTX: a.deployTemplate,
	}[item.Type]
	if deploy == nil {
		e := backends.Errorf(backends.Invalid, "", "", "the item %q is of the type %q, of which no VM can be made", a.source.LibraryItem, item.Type).At(libraryPath)
		if item.Type == library.ItemTypeISO {
			e = e.Advise(`Set kind = "iso".`)
		}
		return "", e
	}
	backends.Report(ctx, backends.Progress{Op: "deploy the item of the content library", Object: a.object(), Percent: -1})
	made, err := a.lasting(ctx, func(ctx context.Context) (*types.ManagedObjectReference, error) { return deploy(ctx, r, item.ID) })
	if err != nil {
		return "", err
	}
	id := backends.ID(made.Value)
	m, err := a.machine(ctx, id, "import")
	if err == nil {
		k := a.mark("")
		m.nameDevices(k)
		err = a.seal(ctx, id, k)
	}
	if err != nil {
		return "", a.undo(ctx, id, err)
	}
	return id, nil
}

// deployTime is how long a deployment that was asked for is waited for after ctx has ended: vCenter carries it out in any case, and
// what it made has to be known to be removed.
const deployTime = 4 * time.Second

// lasting calls deploy with a context that outlives ctx by a little, and removes what it made when ctx has ended.
func (a *arrival) lasting(ctx context.Context, deploy func(context.Context) (*types.ManagedObjectReference, error)) (*types.ManagedObjectReference, error) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(deployTime, cancel) })()
	made, err := deploy(longer)
	switch {
	case ctx.Err() == nil:
		return made, fault.Wrap(err, "deploy the item of the content library", "")
	case err == nil:
		return nil, a.undo(ctx, backends.ID(made.Value), context.Cause(ctx))
	}
	e := backends.Errorf(backends.CodeOf(ctx.Err()), "", "", "%w", context.Cause(ctx))
	return nil, e.Advise("vCenter may still be making the VM %q: look for it, and remove it.", a.spec.Name)
}

func (a *arrival) deployOVF(ctx context.Context, r *rest.Client, item string) (*types.ManagedObjectReference, error) {
	m := vcenter.NewManager(r)
	target := vcenter.Target{ResourcePoolID: a.place.Pool.Ref.Value, FolderID: a.place.Folder.Ref.Value}
	if a.place.Host != nil {
		target.HostID = a.place.Host.Ref.Value
	}
	deploy := vcenter.Deploy{Target: target, DeploymentSpec: vcenter.DeploymentSpec{
		Name: a.spec.Name, DefaultDatastoreID: a.store.Ref.Value, StorageProvisioning: "thin", AcceptAllEULA: true,
	}}
	facts, err := m.FilterLibraryItem(ctx, item, vcenter.FilterRequest{Target: target})
	if err != nil {
		return nil, err
	}
	if len(facts.Networks) > 0 { // what the package calls its networks says nothing of those that are here
		network, _, _, err := a.inv.NetworkBacking(ctx, a.place, nil)
		if err != nil {
			return nil, err
		}
		for _, name := range facts.Networks {
			deploy.NetworkMappings = append(deploy.NetworkMappings, vcenter.NetworkMapping{Key: name, Value: network.Ref.Value})
		}
	}
	return m.DeployLibraryItem(ctx, item, deploy)
}

func (a *arrival) deployTemplate(ctx context.Context, r *rest.Client, item string) (*types.ManagedObjectReference, error) {
	storage := &vcenter.DiskStorage{Datastore: a.store.Ref.Value}
	deploy := vcenter.DeployTemplate{
		Name: a.spec.Name, DiskStorage: storage, VMHomeStorage: storage,
		Placement: &vcenter.Placement{ResourcePool: a.place.Pool.Ref.Value, Folder: a.place.Folder.Ref.Value},
	}
	if a.place.Host != nil {
		deploy.Placement.Host = a.place.Host.Ref.Value
	}
	return vcenter.NewManager(r).DeployTemplateLibraryItem(ctx, item, deploy)
}

// copyLibraryISO copies an item's file: the library's own may be replaced.
func (a *arrival) copyLibraryISO(ctx context.Context, to *imageFile) error {
	r, err := a.conn.REST(ctx)
	if err != nil {
		return err
	}
	item, err := a.libraryItem(ctx, r)
	if err != nil {
		return err
	}
	if item.Type != library.ItemTypeISO {
		return backends.Errorf(backends.Invalid, "", "", "the item %q is of the type %q, not an iso", a.source.LibraryItem, item.Type).At(libraryPath)
	}
	m := library.NewManager(r)
	files, err := m.ListLibraryItemStorage(ctx, item.ID)
	if err == nil {
		err = finder.NewPathFinder(m, a.conn.VIM()).ResolveLibraryItemStorage(ctx, nil, nil, files)
	}
	if err != nil {
		return fault.Wrap(err, "find the file of the item", "")
	}
	for _, f := range files {
		for _, uri := range f.StorageURIs {
			if strings.HasSuffix(strings.ToLower(uri), ".iso") {
				return to.unlessMade(ctx, to.store.Copy(ctx, uri, to.file))
			}
		}
	}
	return backends.Errorf(backends.Precondition, "", "", "the item %q has no file: its content was not downloaded yet", a.source.LibraryItem).
		At(libraryPath).Advise("Synchronise the item in vCenter, and try again.")
}
