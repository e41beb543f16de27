package vcsim_test

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/vcenter"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// What is deployed from a content library has the content of the item's disks.
func TestLibraryItemsHaveContent(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	c := rest.NewClient(l.client.Client)
	if err := c.Login(ctx, l.URL().User); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Logout(ctx) }()
	m := library.NewManager(c)
	items := must[[]string](t)(m.FindLibraryItems(ctx, library.FindItem{Name: l.Seed.LibraryOVF}))
	pool := must[*object.ResourcePool](t)(l.find.ResourcePool(ctx, l.Seed.Clusters[0]+"/Resources"))
	ds := must[*object.Datastore](t)(l.find.Datastore(ctx, "fast"))
	ref, err := vcenter.NewManager(c).DeployLibraryItem(ctx, items[0], vcenter.Deploy{
		DeploymentSpec: vcenter.DeploymentSpec{Name: "deployed", DefaultDatastoreID: ds.Reference().Value, AcceptAllEULA: true},
		Target:         vcenter.Target{ResourcePoolID: pool.Reference().Value, FolderID: l.folder().Reference().Value},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := l.ReadDisk("deployed", 0, 0, len(vcsim.GuestMarker)); err != nil || string(text) != vcsim.GuestMarker {
		t.Errorf("the disk begins with %q (%v)", text, err)
	}
	vm := object.NewVirtualMachine(l.client.Client, *ref)
	l.start(vm)
	l.guest(vm)
}
