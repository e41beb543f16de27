package vcsim

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
)

// virtualMachine returns the first machine of that name, or nil.
func (s *Server) virtualMachine(name string) *simulator.VirtualMachine {
	ctx := s.Context()
	for _, e := range ctx.Map.All("VirtualMachine") {
		vm, ok := e.(*simulator.VirtualMachine)
		found := false
		if ok {
			ctx.WithLock(vm, func() { found = vm.Name == name })
		}
		if found {
			return vm
		}
	}
	return nil
}

// onDisk calls f with the file of a machine's disk, by the key of its device;
// 0 is the first.
func (s *Server) onDisk(name string, key int32, f func(diskFile) error) error {
	vm := s.virtualMachine(name)
	if vm == nil {
		return fmt.Errorf("there is no machine %q", name)
	}
	err := fmt.Errorf("%s has no disk %d", name, key)
	ctx := s.Context()
	ctx.WithLock(vm, func() {
		for _, d := range disksOf(vm.Config.Hardware.Device) {
			if d.Key == key || key == 0 {
				file := s.diskFile(ctx, vm, fileName(d))
				err = f(file)
				s.count(ctx, file)
				return
			}
		}
	})
	return err
}

// WriteDisk writes to a disk of the machine of that name, as its guest would.
// The key is that of the device, 0 is the first disk.
func (s *Server) WriteDisk(vm string, key int32, at int64, data []byte) error {
	return s.onDisk(vm, key, func(f diskFile) error { return f.writeAt(data, at) })
}

// ReadDisk reads n bytes of a disk of the machine of that name, as its guest
// would: through the snapshots and the parents of a linked clone.
func (s *Server) ReadDisk(vm string, key int32, at int64, n int) ([]byte, error) {
	data := make([]byte, n)
	err := s.onDisk(vm, key, func(f diskFile) error { return f.readAt(data, at) })
	return data, err
}
