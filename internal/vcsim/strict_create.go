package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"
)

// create returns why a machine is not made.
func (c *checks) create(folder types.ManagedObjectReference, q *types.CreateVM_Task) types.BaseMethodFault {
	spec := &q.Config

	if spec.Name == "" {
		return &types.InvalidVmConfig{Property: "configSpec.name"}
	}

	if f := c.name(folder, spec.Name, folder); f != nil {
		return f
	}

	if spec.Files == nil || spec.Files.VmPathName == "" {
		return &types.InvalidVmConfig{Property: "configSpec.files.vmPathName"}
	}

	if f := c.values(nil, spec); f != nil {
		return f
	}

	datacenter, _ := c.server.roster.above(folder, "Datacenter")

	home, f := c.datastore(datacenter, spec.Files.VmPathName)
	if f != nil {
		return f
	}

	host, f := c.target(q.Pool, q.Host, home)
	if f != nil {
		return f
	}

	return c.devices(&deviceCheck{
		checks:   c,
		folder:   folder,
		host:     host,
		home:     home,
		present:  esx.VirtualDevice,
		firmware: firmware(nil, spec),
	}, spec.DeviceChange)
}

// datastore returns the datastore that a path such as "[fast] web/web.vmdk"
// names.
func (c *checks) datastore(datacenter types.ManagedObjectReference, path string) (types.ManagedObjectReference, types.BaseMethodFault) {
	var p object.DatastorePath
	if p.FromString(path) {
		if ref, ok := c.server.roster.within(datacenter, "Datastore", p.Datastore); ok {
			return ref, nil
		}
	}

	f := &types.InvalidDatastorePath{DatastorePath: path}
	f.FaultCause = because("Invalid datastore path '%s'.", path)

	return types.ManagedObjectReference{}, f
}

// target returns the host that is to run a machine in the pool with files on
// the datastore. Where no host is asked for, it returns one of the pool's that
// reaches the datastore.
func (c *checks) target(pool types.ManagedObjectReference, host *types.ManagedObjectReference, ds types.ManagedObjectReference) (*types.ManagedObjectReference, types.BaseMethodFault) {
	if c.Map.Get(pool) == nil {
		return nil, &types.ManagedObjectNotFound{Obj: pool}
	}

	compute, _ := c.server.roster.above(pool, "ClusterComputeResource", "ComputeResource")

	if host != nil {
		if c.server.roster.parent(*host) != compute {
			return nil, argument("host", "The resource pool does not belong to the host.")
		}

		return host, c.mounted(*host, ds)
	}

	var refused types.BaseMethodFault = &types.InvalidState{}

	for _, h := range c.server.roster.children(compute, "HostSystem") {
		if refused = c.mounted(h, ds); refused == nil {
			return &h, nil
		}
	}

	return nil, refused
}

// mounted refuses a host that does not reach a datastore or takes no machines.
func (c *checks) mounted(ref, ds types.ManagedObjectReference) types.BaseMethodFault {
	host := c.host(ref)
	if host == nil {
		return &types.ManagedObjectNotFound{Obj: ref}
	}

	var reached, maintained bool

	c.WithLock(host, func() {
		maintained = host.Runtime.InMaintenanceMode
		reached = contains(host.Datastore, ds)
	})

	if maintained {
		f := &types.InvalidState{}
		f.FaultCause = because("Host '%s' is in maintenance mode.", c.server.roster.name(ref))

		return f
	}

	if reached {
		return nil
	}

	name := c.server.roster.name(ds)
	f := &types.InaccessibleDatastore{InvalidDatastore: types.InvalidDatastore{Datastore: &ds, Name: name}}
	f.FaultCause = because("Datastore '%s' is not accessible from host '%s'.", name, c.server.roster.name(ref))

	return f
}
