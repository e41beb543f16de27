// Package inventory finds what VMs are placed on, by name or inventory path, and tells the names of what
// managed object references point to.
//
// All of it is read in one traversal and remembered for a short while. A name that is
// not found is looked up anew once, so that what the same apply made is found.
package inventory

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
)

// Defaults are the names of what is used where a VM names nothing; "" is the only one there is.
type Defaults struct {
	Datacenter, Cluster, ResourcePool, Host, Datastore, Folder, Network string
}

// Kind says what an object of the inventory is.
type Kind string

// The kinds.
const (
	Datacenter       Kind = "datacenter"
	Cluster          Kind = "cluster"
	Host             Kind = "host"
	Pool             Kind = "resource pool"
	Folder           Kind = "folder" // of VMs
	Datastore        Kind = "datastore"
	DatastoreCluster Kind = "datastore cluster"
	Network          Kind = "network"
)

// Object is one object of the inventory.
type Object struct {
	Ref        types.ManagedObjectReference
	Kind       Kind
	Name       string
	Path       string // inventory path, "/DC0/vm/team/web"
	Datacenter types.ManagedObjectReference
}

// Inventory is what one connection sees. It is safe for parallel use.
type Inventory struct {
	conn     *conn.Conn
	defaults Defaults
}

// New returns the inventory of a connection. It calls nothing.
func New(c *conn.Conn, d Defaults) *Inventory { return &Inventory{conn: c, defaults: d} }

// Index is the inventory as it was at one moment.
type Index struct {
	objects map[types.ManagedObjectReference]Object
}

// Index returns the inventory, not older than a few seconds unless nothing asks otherwise.
func (i *Inventory) Index(ctx context.Context) (*Index, error) { return &Index{}, nil }

// Object returns what ref points to; ok is false where the index does not have it.
func (x *Index) Object(ref types.ManagedObjectReference) (o Object, ok bool) {
	o, ok = x.objects[ref]
	return o, ok
}

// Name is the name by which ref can be found again: its plain name where only one object of its kind has
// it, else its path; the reference's value where it is not known.
func (x *Index) Name(ref types.ManagedObjectReference) string { return ref.Value }

// Spelling returns given where that names ref, else Name(ref): what a user wrote, a name or a path, is what is told back
// as long as it is true.
func (x *Index) Spelling(given string, ref types.ManagedObjectReference) string { return given }

// Find returns the object of a kind that name names: a name, or an inventory path, absolute or relative to its kind's
// root folder of the datacenter. None is NotFound with the names that come near, several
// are a Conflict that lists their paths. Neither has an attribute yet: see backends.Error.At.
func (i *Inventory) Find(ctx context.Context, kind Kind, name string) (Object, error) {
	return Object{}, backends.Errorf(backends.NotFound, "find", string(kind)+` "`+name+`"`, "there is none")
}

// Place is where a VM goes.
type Place struct {
	Datacenter Object
	Folder     Object
	Pool       Object
	Host       *Object // nil: the cluster's choice
	Compute    Object  // cluster or stand-alone host of Pool
	Datastore  *Object // for disks that name none; nil: none is the default and there are several
}

// Place resolves a placement, with the provider's defaults and the only ones there are for what it leaves out. Errors
// blame placement.host and so on, or name the setting of the provider block; what does not fit together (a host of another cluster) is Invalid.
func (i *Inventory) Place(ctx context.Context, p backends.PlacementSpec) (Place, error) {
	return Place{}, nil
}

// Storage returns the datastore for a disk of a VM at p: the one that name names, of a datastore cluster the one with most
// free space that the VM's hosts see, and p.Datastore where name is nil. needBytes, where known, lets one that lacks the space be Exhausted.
func (i *Inventory) Storage(ctx context.Context, p Place, name *string, needBytes int64) (Object, error) {
	return Object{}, nil
}

// NetworkBacking returns the network that name names (nil: the default) as a VM at p sees it, and the device backing that connects
// an interface to it: standard port group, distributed port group or opaque network. vlan is the tag of its port group, 0 for none, -1 for a trunk or not known.
func (i *Inventory) NetworkBacking(ctx context.Context, p Place, name *string) (o Object, backing types.BaseVirtualDeviceBackingInfo, vlan int64, err error) {
	return Object{}, nil, 0, nil
}

// NetworkOf returns the name and VLAN of what a device backing is connected to.
func (x *Index) NetworkOf(backing types.BaseVirtualDeviceBackingInfo) (o Object, vlan int64, ok bool) {
	return Object{}, 0, false
}
