package vcsim

import (
	"crypto/sha1" //nolint:gosec // What the manifest of a lease has.
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// leaseSeconds is how long a lease lives without a sign of life.
const leaseSeconds = 300

// leases are the imports and exports that go on.
type leases struct {
	mu      sync.Mutex
	byID    map[string]*lease
	timeout time.Duration
}

// SetLeaseTimeout sets after what time without progress leases that begin from
// now on end; vSphere's are 300 s.
func (s *Server) SetLeaseTimeout(d time.Duration) {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	s.leases.timeout = d
}

// lease is an import or an export of a machine.
type lease struct {
	mo.HttpNfcLease

	server  *Server
	id      string
	imp     bool
	timeout time.Duration

	mu    sync.Mutex
	vm    *simulator.VirtualMachine // nil until the lease is ready
	over  bool
	files map[string]*leaseFile // by name in the URL
	alive chan struct{}         // progress was reported
	ended chan struct{}
}

type leaseFile struct {
	key    string
	disk   diskFile // of a disk
	plain  string   // of another file
	size   int64    // transferred
	sum    string
	failed bool
}

// newLease registers a lease that is not ready yet.
func (s *Server) newLease(ctx *simulator.Context, imp bool) *lease {
	l := &lease{
		server: s, id: uuid.NewString(), imp: imp, timeout: leaseSeconds * time.Second,
		files: map[string]*leaseFile{}, alive: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	l.Self = types.ManagedObjectReference{Type: "HttpNfcLease", Value: "session-" + l.id}
	l.State = types.HttpNfcLeaseStateInitializing
	l.Mode = string(types.HttpNfcLeaseModePushOrGet)
	l.Capabilities = types.HttpNfcLeaseCapabilities{PullModeSupported: false, CorsSupported: true}

	s.leases.mu.Lock()
	if s.leases.byID == nil {
		s.leases.byID = map[string]*lease{}
	}
	s.leases.byID[l.id] = l
	if s.leases.timeout > 0 {
		l.timeout = s.leases.timeout
	}
	s.leases.mu.Unlock()
	ctx.Map.Put(l)
	return l
}

// open makes the lease ready: the machine's disks have URLs.
func (l *lease) open(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	s := l.server
	var urls []types.HttpNfcLeaseDeviceUrl
	var total int64
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	count := map[string]int{}
	for _, d := range devices {
		info, ok := d.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			continue
		}
		disk, isDisk := d.(*types.VirtualDisk)
		name := path.Base(info.GetVirtualDeviceFileBackingInfo().FileName)
		if !isDisk && !l.imp {
			continue
		}
		for l.files[name] != nil {
			name = "x" + name // the same name on another datastore
		}
		kind := devices.Type(d)
		f := &leaseFile{key: fmt.Sprintf("/%s/%s:%d", vm.Self.Value, kind, count[kind])}
		target := s.diskFile(ctx, vm, info.GetVirtualDeviceFileBackingInfo().FileName)
		if isDisk {
			f.disk = target
			total += disk.CapacityInBytes
		} else {
			f.plain = string(target)
		}
		l.files[name] = f
		host := s.address
		if ctx.Map.IsESX() {
			host = "*"
		}
		u := url.URL{Scheme: "https", Host: host, Path: "/nfc/" + l.id + "/" + name}
		urls = append(urls, types.HttpNfcLeaseDeviceUrl{
			Key: f.key, ImportKey: fmt.Sprintf("/%s/%s:%d", vm.Name, kind, count[kind]), Url: u.String(),
			SslThumbprint: s.ThumbprintSHA1(), Disk: types.NewBool(isDisk), TargetId: name, FileSize: 0,
		})
		count[kind]++
	}
	l.mu.Lock()
	over := l.over
	l.vm = vm
	l.mu.Unlock()
	if over {
		if l.imp {
			s.discard(ctx, vm) // it was aborted meanwhile
		}
		return
	}
	update(ctx, l, func() {
		l.InitializeProgress = 100
		l.Info = &types.HttpNfcLeaseInfo{
			Lease: l.Self, Entity: vm.Self, DeviceUrl: urls, TotalDiskCapacityInKB: total >> 10,
			LeaseTimeout: int32(max(1, l.timeout/time.Second)),
		}
		l.State = types.HttpNfcLeaseStateReady
	})
	s.background(l.watch)
}

// watch ends the lease if nothing is heard of its client for too long.
func (l *lease) watch(closed <-chan struct{}) {
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	for {
		select {
		case <-l.alive:
			timer.Reset(l.timeout)
		case <-timer.C:
			l.end(l.server.Context(), &types.LocalizedMethodFault{Fault: &types.Timedout{}, LocalizedMessage: "The lease timed out."}, true)
			return
		case <-l.ended:
			return
		case <-closed:
			return
		}
	}
}

func (l *lease) touch() {
	select {
	case l.alive <- struct{}{}:
	default:
	}
}

// end closes the lease. What an import that failed made is taken away.
func (l *lease) end(ctx *simulator.Context, why *types.LocalizedMethodFault, undo bool) {
	l.mu.Lock()
	over, vm := l.over, l.vm
	l.over = true
	l.mu.Unlock()
	if over {
		return
	}
	close(l.ended)
	state := types.HttpNfcLeaseStateDone
	if why != nil {
		state = types.HttpNfcLeaseStateError
	}
	update(ctx, l, func() { l.State, l.Error = state, why })
	if l.imp && undo && vm != nil {
		l.server.discard(ctx, vm)
	}
}

// discard destroys a machine of which nobody was told.
func (s *Server) discard(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	c := detached(ctx)
	c.Session = ctx.Session
	j := &job{Context: c, server: s}
	s.jobs.work.Lock()
	defer s.jobs.work.Unlock()
	c.WithLock(vm, func() { _ = j.destroy(vm) })
}

// HttpNfcLeaseProgress keeps the lease alive and notes how far its client is.
func (l *lease) HttpNfcLeaseProgress(ctx *simulator.Context, req *types.HttpNfcLeaseProgress) soap.HasFault { //nolint:revive // The API's name.
	if fault := l.ready(); fault != nil {
		return refusal(fault)
	}
	if req.Percent < 0 || req.Percent > 100 {
		return refusal(&types.InvalidArgument{InvalidProperty: "percent"})
	}
	l.touch()
	update(ctx, l, func() { l.TransferProgress = req.Percent })
	return &methods.HttpNfcLeaseProgressBody{Res: new(types.HttpNfcLeaseProgressResponse)}
}

// ready returns a fault unless files may be transferred.
func (l *lease) ready() types.BaseMethodFault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.vm == nil || l.over {
		return &types.InvalidState{}
	}
	return nil
}

// HttpNfcLeaseComplete ends the lease well: what was imported stays.
func (l *lease) HttpNfcLeaseComplete(ctx *simulator.Context, _ *types.HttpNfcLeaseComplete) soap.HasFault { //nolint:revive // The API's name.
	if fault := l.ready(); fault != nil {
		return refusal(fault)
	}
	l.end(ctx, nil, false)
	if l.imp {
		c := detached(ctx)
		c.WithLock(l.vm, func() {
			j := &job{Context: c, server: l.server}
			j.refreshLayout(l.vm)
		})
	}
	return &methods.HttpNfcLeaseCompleteBody{Res: new(types.HttpNfcLeaseCompleteResponse)}
}

// HttpNfcLeaseAbort ends the lease: what was imported goes.
func (l *lease) HttpNfcLeaseAbort(ctx *simulator.Context, req *types.HttpNfcLeaseAbort) soap.HasFault { //nolint:revive // The API's name.
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if over {
		return refusal(&types.InvalidState{})
	}
	l.end(ctx, req.Fault, true)
	return &methods.HttpNfcLeaseAbortBody{Res: new(types.HttpNfcLeaseAbortResponse)}
}

// HttpNfcLeaseGetManifest tells what was transferred.
func (l *lease) HttpNfcLeaseGetManifest(*simulator.Context, *types.HttpNfcLeaseGetManifest) soap.HasFault { //nolint:revive // The API's name.
	res := new(types.HttpNfcLeaseGetManifestResponse)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range sortedKeys(l.files) {
		f := l.files[name]
		if f.size > 0 {
			res.Returnval = append(res.Returnval, types.HttpNfcLeaseManifestEntry{Key: f.key, Sha1: f.sum, Size: f.size, Disk: f.disk != ""})
		}
	}
	return &methods.HttpNfcLeaseGetManifestBody{Res: res}
}

func (l *lease) note(f *leaseFile, size int64, sum []byte, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.size, f.sum, f.failed = size, hex.EncodeToString(sum), failed
}

var newSum = sha1.New
