package vcsim

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// serveTransfer takes in or gives out a file of a lease. A disk is a
// streamOptimized VMDK.
func (s *Server) serveTransfer(w http.ResponseWriter, r *http.Request) {
	s.leases.mu.Lock()
	l := s.leases.byID[r.PathValue("lease")]
	s.leases.mu.Unlock()
	if l == nil || l.ready() != nil {
		simulator.ServeNFC(w, r) // a lease of the simulator's own
		return
	}
	l.mu.Lock()
	f := l.files[r.PathValue("file")]
	l.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	l.touch()
	switch {
	case (r.Method == http.MethodPut || r.Method == http.MethodPost) && l.imp:
		l.receive(w, r, f)
	case r.Method == http.MethodGet && !l.imp:
		l.send(w, r, f)
	default:
		http.Error(w, "the lease is not for this", http.StatusMethodNotAllowed)
	}
}

func (l *lease) receive(w http.ResponseWriter, r *http.Request, f *leaseFile) {
	sum := newSum()
	counted := &countedReader{r: io.TeeReader(r.Body, sum), l: l}
	var err error
	if f.disk != "" {
		err = f.disk.upload(r.Context(), counted)
		if err == nil {
			_, err = io.Copy(io.Discard, counted)
		}
	} else {
		err = saveFile(f.plain, counted)
	}
	if err == nil && r.ContentLength >= 0 && counted.n != r.ContentLength {
		err = fmt.Errorf("%d bytes came of %d", counted.n, r.ContentLength)
	}
	l.note(f, counted.n, sum.Sum(nil), err != nil)
	if err != nil {
		// vSphere breaks the transfer off and puts the lease into its error state.
		l.end(l.server.Context(), &types.LocalizedMethodFault{
			Fault:            &types.SystemError{Reason: "Failed to write the disk: " + err.Error()},
			LocalizedMessage: "Failed to import disk: " + err.Error(),
		}, true)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func saveFile(name string, r io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, r); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func (l *lease) send(w http.ResponseWriter, r *http.Request, f *leaseFile) {
	stream, err := diskimage.NewStreamVMDK(r.Context(), f.disk.reader(), diskimage.Raw, diskimage.StreamOptions{Size: f.disk.capacity()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := newSum()
	w.Header().Set("Content-Type", "application/octet-stream")
	n, err := io.Copy(io.MultiWriter(w, sum), stream)
	l.note(f, n, sum.Sum(nil), err != nil)
	if err != nil {
		panic(http.ErrAbortHandler) // the client must not take it for whole
	}
}

// reader reads the whole disk as the guest sees it.
func (d diskFile) reader() io.Reader {
	end, err := d.written()
	return &diskReader{d: d, size: d.capacity(), end: end, err: err}
}

type diskReader struct {
	d             diskFile
	at, size, end int64 // behind end are zeros
	err           error
}

func (r *diskReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.at >= r.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.size-r.at)]
	if r.at >= r.end {
		clear(p)
	} else if err := r.d.readAt(p, r.at); err != nil {
		return 0, err
	}
	r.at += int64(len(p))
	return len(p), nil
}

// countedReader counts, and keeps the lease alive while bytes come.
type countedReader struct {
	r io.Reader
	l *lease
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.l.touch()
	return n, err
}

// ImportVApp makes a machine of an OVF's specification and answers the lease
// that its disks are uploaded with.
func (p *ResourcePool) ImportVApp(ctx *simulator.Context, req *types.ImportVApp) soap.HasFault {
	spec, ok := req.Spec.(*types.VirtualMachineImportSpec)
	if !ok {
		return p.ResourcePool.ImportVApp(ctx, req)
	}
	folder, fault := p.server.importFolder(ctx, p.Self, req.Folder)
	if fault != nil {
		return refusal(fault)
	}
	l := p.server.newLease(ctx, true)
	c := detached(ctx)
	p.server.background(func(<-chan struct{}) {
		j := &job{Context: c, server: p.server}
		var vm *simulator.VirtualMachine
		p.server.jobs.work.Lock()
		c.WithLock(folder, func() {
			vm, fault = j.createVM(folder, &types.CreateVM_Task{This: folder.Self, Config: spec.ConfigSpec, Pool: p.Self, Host: req.Host})
		})
		p.server.jobs.work.Unlock()
		if fault != nil {
			l.end(c, &types.LocalizedMethodFault{Fault: fault, LocalizedMessage: message(fault)}, false)
			return
		}
		l.open(c, vm)
	})
	return &methods.ImportVAppBody{Res: &types.ImportVAppResponse{Returnval: l.Self}}
}

// importFolder returns the folder of an import, by default that of the pool's datacenter.
func (s *Server) importFolder(ctx *simulator.Context, pool types.ManagedObjectReference, ref *types.ManagedObjectReference) (*simulator.Folder, types.BaseMethodFault) {
	if ref == nil {
		dc := datacenterOf(ctx, pool)
		if dc == nil {
			return nil, &types.InvalidArgument{InvalidProperty: "folder"}
		}
		ref = &dc.VmFolder
	}
	folder, ok := ctx.Map.Get(*ref).(*simulator.Folder)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: *ref}
	}
	return folder, nil
}

// ExportVm answers the lease that a machine's disks are downloaded with.
func (vm *VirtualMachine) ExportVm(ctx *simulator.Context, _ *types.ExportVm) soap.HasFault { //nolint:revive // The API's name.
	if vm.Runtime.PowerState != off {
		return refusal(wrongState(vm.VirtualMachine, off))
	}
	l := vm.server.newLease(ctx, false)
	l.open(ctx, vm.VirtualMachine)
	return &methods.ExportVmBody{Res: &types.ExportVmResponse{Returnval: l.Self}}
}

// ExportSnapshot answers the lease that the disks of a snapshot are downloaded with.
func (s *Snapshot) ExportSnapshot(ctx *simulator.Context, _ *types.ExportSnapshot) soap.HasFault {
	vm, ok := ctx.Map.Get(s.Vm).(*simulator.VirtualMachine)
	if !ok {
		return refusal(&types.ManagedObjectNotFound{Obj: s.Vm})
	}
	then := *vm
	then.Config = copyConfig(&s.Config)
	l := s.server.newLease(ctx, false)
	l.open(ctx, &then)
	return &methods.ExportSnapshotBody{Res: &types.ExportSnapshotResponse{Returnval: l.Self}}
}

// MountToolsInstaller puts the tools' image into the machine's drive.
func (vm *VirtualMachine) MountToolsInstaller(ctx *simulator.Context, _ *types.MountToolsInstaller) soap.HasFault {
	if vm.Runtime.PowerState != on {
		return refusal(wrongState(vm.VirtualMachine, on))
	}
	drives := object.VirtualDeviceList(vm.Config.Hardware.Device).SelectByType((*types.VirtualCdrom)(nil))
	if len(drives) == 0 {
		return refusal(&types.VmConfigFault{})
	}
	update(ctx, vm.VirtualMachine, func() { vm.Runtime.ToolsInstallerMounted = true; vm.Summary.Runtime = vm.Runtime })
	return &methods.MountToolsInstallerBody{Res: new(types.MountToolsInstallerResponse)}
}

// UnmountToolsInstaller takes the tools' image out again.
func (vm *VirtualMachine) UnmountToolsInstaller(ctx *simulator.Context, _ *types.UnmountToolsInstaller) soap.HasFault {
	if !vm.Runtime.ToolsInstallerMounted {
		return refusal(&types.InvalidState{})
	}
	update(ctx, vm.VirtualMachine, func() { vm.Runtime.ToolsInstallerMounted = false; vm.Summary.Runtime = vm.Runtime })
	return &methods.UnmountToolsInstallerBody{Res: new(types.UnmountToolsInstallerResponse)}
}
