package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
)

// Folder answers the calls to a folder, as VirtualMachine does to a machine.
type Folder struct {
	*simulator.Folder

	server *Server
}

// ResourcePool answers the calls to a resource pool.
type ResourcePool struct {
	*simulator.ResourcePool

	server *Server
}

// VirtualApp answers the calls to a vApp.
type VirtualApp struct {
	*simulator.VirtualApp

	server *Server
}

// Datastore answers the calls to a datastore.
type Datastore struct {
	*simulator.Datastore

	server *Server
}

// VirtualDiskManager answers the calls that work on disks without a machine.
type VirtualDiskManager struct {
	*simulator.VirtualDiskManager

	server *Server
}

// FileManager answers the calls that work on the files of datastores.
type FileManager struct {
	*simulator.FileManager

	server *Server
}

// Task answers the calls to a task.
type Task struct {
	*simulator.Task

	server *Server
}

// Snapshot answers the calls to a snapshot of a virtual machine.
type Snapshot struct {
	*simulator.VirtualMachineSnapshot

	server *Server
}

// HostSystem answers the calls to a host.
type HostSystem struct {
	*simulator.HostSystem

	server *Server
}

// HttpNfcLease answers the calls to a lease of an import or an export.
type HttpNfcLease struct { //nolint:revive // The API's name.
	*simulator.HttpNfcLease

	server *Server
}

// wrap returns what answers the calls to obj, or nil where the simulator's
// object does.
func (s *Server) wrap(obj mo.Reference) mo.Reference {
	switch o := obj.(type) {
	case *simulator.VirtualMachine:
		return &VirtualMachine{VirtualMachine: o, server: s}
	case *simulator.Folder:
		return &Folder{Folder: o, server: s}
	case *simulator.ResourcePool:
		return &ResourcePool{ResourcePool: o, server: s}
	case *simulator.VirtualApp:
		return &VirtualApp{VirtualApp: o, server: s}
	case *simulator.Datastore:
		return &Datastore{Datastore: o, server: s}
	case *simulator.VirtualDiskManager:
		return &VirtualDiskManager{VirtualDiskManager: o, server: s}
	case *simulator.FileManager:
		return &FileManager{FileManager: o, server: s}
	case *simulator.EventManager:
		return &EventManager{EventManager: o, server: s}
	case *simulator.Task:
		return &Task{Task: o, server: s}
	case *simulator.VirtualMachineSnapshot:
		return &Snapshot{VirtualMachineSnapshot: o, server: s}
	case *simulator.HostSystem:
		return &HostSystem{HostSystem: o, server: s}
	case *simulator.HttpNfcLease:
		return &HttpNfcLease{HttpNfcLease: o, server: s}
	case *simulator.HostDatastoreBrowser:
		return &HostDatastoreBrowser{HostDatastoreBrowser: o, server: s}
	case *simulator.SearchIndex:
		return &SearchIndex{SearchIndex: o}
	case *simulator.EnvironmentBrowser:
		return &EnvironmentBrowser{EnvironmentBrowser: o, server: s}
	default:
		return nil
	}
}
