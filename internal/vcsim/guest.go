package vcsim

import (
	"bytes"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const guestDelay = 10 * time.Millisecond

// toolsVersion is what the tools of guests say of themselves: 12.5.0.
const toolsVersion = "12448"

// guests are the settings of all guests of a server.
type guests struct {
	mu    sync.Mutex
	delay time.Duration
	deaf  map[string]bool   // by name of the machine: it ignores requests
	sick  map[string]string // by name of the machine: why its customization fails
}

func (g *guests) init() {
	g.delay, g.deaf, g.sick = guestDelay, map[string]bool{}, map[string]string{}
}

// guestState is what the server remembers of the guest of one machine.
type guestState struct {
	boot    int // counts starts, so that what was begun in an earlier one ends
	pending *types.CustomizationSpec
	applied *types.CustomizationSpec // written to the guest's disk
}

// SetGuestDelay sets how long guests take to start and to obey.
func (s *Server) SetGuestDelay(d time.Duration) {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	s.guests.delay = d
}

// IgnoreShutdown makes the guest of the machine of that name ignore, or obey
// again, requests to shut down, to reboot and to suspend.
func (s *Server) IgnoreShutdown(vm string, ignore bool) {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	s.guests.deaf[vm] = ignore
}

// FailCustomization makes the customization of the machine of that name fail
// in the guest, for the reason given.
func (s *Server) FailCustomization(vm, reason string) {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	s.guests.sick[vm] = reason
}

// hasGuest reports whether a disk of the machine has a guest on it.
func (s *Server) hasGuest(ctx *simulator.Context, vm *simulator.VirtualMachine) bool {
	head := make([]byte, len(GuestMarker))
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		if s.options.Guests {
			return true
		}
		f := s.diskFile(ctx, vm, fileName(d))
		if f != "" && f.readAt(head, 0) == nil && bytes.Equal(head, []byte(GuestMarker)) {
			return true
		}
	}
	return false
}

// later runs f after the guests' delay, with the machine's lock held, unless the
// machine has stopped or started meanwhile.
func (s *Server) later(vm *simulator.VirtualMachine, boot int, f func(*simulator.Context)) {
	s.guests.mu.Lock()
	delay := s.guests.delay
	s.guests.mu.Unlock()
	s.background(func(closed <-chan struct{}) {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-closed:
			return
		}
		ctx := s.Context()
		ctx.WithLock(vm, func() {
			if vm.Runtime.PowerState == on && s.bootOf(vm) == boot {
				f(ctx)
			}
		})
	})
}

func (s *Server) bootOf(vm *simulator.VirtualMachine) int {
	m := s.machine(vm.Self)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.guest.boot
}

// boot starts the guest of a machine that was powered on or reset.
func (s *Server) boot(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	update(ctx, vm, func() { s.shut(vm) })
	m := s.machine(vm.Self)
	m.mu.Lock()
	boot, pending := m.guest.boot, m.guest.pending
	m.mu.Unlock()
	if !s.hasGuest(ctx, vm) {
		return
	}
	if pending != nil {
		post(ctx, &types.CustomizationStartedEvent{CustomizationEvent: types.CustomizationEvent{VmEvent: vmEvent(ctx, vm)}})
		update(ctx, vm, func() { showCustomization(vm, types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_RUNNING, "") })
	}
	s.later(vm, boot, func(ctx *simulator.Context) {
		if pending != nil {
			s.customize(ctx, vm, pending)
		}
		s.runTools(ctx, vm)
	})
}

// shut takes away what only a guest that runs has. It is called with the
// machine's lock held, within update.
func (s *Server) shut(vm *simulator.VirtualMachine) {
	m := s.machine(vm.Self)
	m.mu.Lock()
	m.guest.boot++
	m.mu.Unlock()

	g := *vm.Guest
	g.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
	if g.ToolsStatus != types.VirtualMachineToolsStatusToolsNotInstalled {
		g.ToolsStatus = types.VirtualMachineToolsStatusToolsNotRunning
	}
	g.GuestState = string(types.VirtualMachineGuestStateNotRunning)
	g.HostName, g.IpAddress, g.Net, g.IpStack, g.Disk = "", "", nil, nil, nil
	g.GuestOperationsReady, g.GuestStateChangeSupported = types.NewBool(false), types.NewBool(false)
	vm.Guest = &g
	summary := types.VirtualMachineGuestSummary{}
	if vm.Summary.Guest != nil {
		summary = *vm.Summary.Guest
	}
	summary.HostName, summary.IpAddress = "", ""
	summary.ToolsStatus, summary.ToolsRunningStatus = g.ToolsStatus, g.ToolsRunningStatus
	vm.Summary.Guest = &summary
	vm.GuestHeartbeatStatus = types.ManagedEntityStatusGray
	vm.Summary.QuickStats.GuestHeartbeatStatus = types.ManagedEntityStatusGray
}

// quiet does the same for a machine that does not run, after it was changed.
func (j *job) quiet(vm *simulator.VirtualMachine) {
	update(j.Context, vm, func() { j.server.shut(vm) })
}

// runTools lets the tools of a machine's guest run and tell of it.
func (s *Server) runTools(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	update(ctx, vm, func() {
		g := *vm.Guest
		g.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		g.ToolsStatus = types.VirtualMachineToolsStatusToolsOk
		g.ToolsVersion = toolsVersion
		g.ToolsVersionStatus = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
		g.ToolsVersionStatus2 = g.ToolsVersionStatus
		g.GuestState = string(types.VirtualMachineGuestStateRunning)
		g.GuestId, g.GuestFullName = vm.Config.GuestId, vm.Config.GuestFullName
		g.GuestOperationsReady, g.GuestStateChangeSupported = types.NewBool(true), types.NewBool(true)
		s.tell(ctx, vm, &g)
		for _, d := range disksOf(vm.Config.Hardware.Device)[:1] {
			g.Disk = []types.GuestDiskInfo{{DiskPath: "/", Capacity: d.CapacityInBytes, FreeSpace: d.CapacityInBytes / 2, FilesystemType: "ext4"}}
		}
		vm.Guest = &g
		vm.Summary.Guest = &types.VirtualMachineGuestSummary{
			GuestId: g.GuestId, GuestFullName: g.GuestFullName, ToolsStatus: g.ToolsStatus,
			ToolsVersionStatus: g.ToolsVersionStatus, ToolsVersionStatus2: g.ToolsVersionStatus2,
			ToolsRunningStatus: g.ToolsRunningStatus, HostName: g.HostName, IpAddress: g.IpAddress,
		}
		vm.GuestHeartbeatStatus = types.ManagedEntityStatusGreen
		vm.Summary.QuickStats.GuestHeartbeatStatus = types.ManagedEntityStatusGreen
	})
}

// refreshGuest lets a guest that runs see changed hardware.
func (s *Server) refreshGuest(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	if vm.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		s.runTools(ctx, vm)
		return
	}
	update(ctx, vm, func() { vm.Guest.Net = nil })
}

// obey lets the guest do, after a while, what it was asked to.
func (s *Server) obey(vm *simulator.VirtualMachine, f func(*simulator.Context)) {
	s.guests.mu.Lock()
	deaf := s.guests.deaf[vm.Name]
	s.guests.mu.Unlock()
	if !deaf {
		s.later(vm, s.bootOf(vm), f)
	}
}
