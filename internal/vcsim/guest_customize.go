package vcsim

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CustomizeVMTask keeps a customization for the next start of the machine.
func (vm *VirtualMachine) CustomizeVMTask(ctx *simulator.Context, req *types.CustomizeVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "CustomizeVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != off {
			return nil, wrongState(vm.VirtualMachine, off)
		}
		return nil, j.pend(vm.VirtualMachine, &req.Spec)
	})
}

// pend keeps a customization for the next start of a machine whose lock is held.
func (j *job) pend(vm *simulator.VirtualMachine, spec *types.CustomizationSpec) types.BaseMethodFault {
	m := j.server.machine(vm.Self)
	m.mu.Lock()
	busy := m.guest.pending != nil
	if !busy {
		m.guest.pending = spec
	}
	m.mu.Unlock()
	if busy {
		return &types.CustomizationPending{}
	}
	update(j.Context, vm, func() {
		tools := types.ToolsConfigInfo{}
		if vm.Config.Tools != nil {
			tools = *vm.Config.Tools
		}
		tools.PendingCustomization = uuid.NewString()
		vm.Config.Tools = &tools
		showCustomization(vm, types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_PENDING, "")
	})
	return nil
}

// showCustomization shows how far a customization is.
func showCustomization(vm *simulator.VirtualMachine, status types.GuestInfoCustomizationStatus, why string) {
	info := &types.GuestInfoCustomizationInfo{CustomizationStatus: string(status), ErrorMsg: why}
	now := time.Now()
	switch status {
	case types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_RUNNING:
		info.StartTime = &now
	case types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_SUCCEEDED, types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_FAILED:
		info.EndTime = &now
		if old := vm.Guest.CustomizationInfo; old != nil {
			info.StartTime = old.StartTime
		}
	default:
	}
	g := *vm.Guest
	g.CustomizationInfo = info
	vm.Guest = &g
}

// customize lets the guest apply a customization, or fail to.
func (s *Server) customize(ctx *simulator.Context, vm *simulator.VirtualMachine, spec *types.CustomizationSpec) {
	s.guests.mu.Lock()
	why, fails := s.guests.sick[vm.Name]
	s.guests.mu.Unlock()

	m := s.machine(vm.Self)
	m.mu.Lock()
	m.guest.pending = nil
	if !fails {
		m.guest.applied = spec
	}
	m.mu.Unlock()

	e := types.CustomizationEvent{VmEvent: vmEvent(ctx, vm)}
	status := types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_SUCCEEDED
	if fails {
		status = types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_FAILED
		failed := types.CustomizationFailed{CustomizationEvent: e, Reason: why}
		failed.FullFormattedMessage = fmt.Sprintf("An error occurred while customizing VM %s. For details reference the log file in the guest OS. %s", vm.Name, why)
		post(ctx, &failed)
	} else {
		post(ctx, &types.CustomizationSucceeded{CustomizationEvent: e})
	}
	update(ctx, vm, func() {
		tools := *vm.Config.Tools
		tools.PendingCustomization = ""
		vm.Config.Tools = &tools
		showCustomization(vm, status, why)
	})
}

// customSettings returns what a customization tells the guest.
func customSettings(vm *simulator.VirtualMachine, spec *types.CustomizationSpec) settings {
	set := settings{}
	switch id := spec.Identity.(type) {
	case *types.CustomizationLinuxPrep:
		set.hostname = customName(vm, id.HostName)
		if id.Domain != "" && set.hostname != "" {
			set.hostname += "." + id.Domain
		}
	case *types.CustomizationSysprep:
		set.hostname = customName(vm, id.UserData.ComputerName)
	case *types.CustomizationCloudinitPrep:
		set.read(id.Metadata, id.Userdata, "")
		return set
	}
	for _, n := range spec.NicSettingMap {
		nic := nicSettings{dns: n.Adapter.DnsServerList}
		if len(nic.dns) == 0 {
			nic.dns = spec.GlobalIPSettings.DnsServerList
		}
		switch ip := n.Adapter.Ip.(type) {
		case *types.CustomizationFixedIp:
			ones, _ := net.IPMask(net.ParseIP(n.Adapter.SubnetMask).To4()).Size()
			nic.addresses = append(nic.addresses, fmt.Sprintf("%s/%d", ip.IpAddress, ones))
		case *types.CustomizationDhcpIpGenerator:
			nic.dhcp = true
		}
		if six := n.Adapter.IpV6Spec; six != nil {
			for _, g := range six.Ip {
				if ip, ok := g.(*types.CustomizationFixedIpV6); ok {
					nic.addresses = append(nic.addresses, fmt.Sprintf("%s/%d", ip.IpAddress, ip.SubnetMask))
				}
			}
		}
		if n.MacAddress != "" {
			if set.network == nil {
				set.network = map[string]nicSettings{}
			}
			set.network[strings.ToLower(n.MacAddress)] = nic
		} else {
			set.names = append(set.names, nic)
		}
	}
	return set
}

// customName returns the name that a customization gives.
func customName(vm *simulator.VirtualMachine, name types.BaseCustomizationName) string {
	switch n := name.(type) {
	case *types.CustomizationFixedName:
		return n.Name
	case *types.CustomizationPrefixName:
		return n.Base + "-" + vm.Self.Value
	case *types.CustomizationVirtualMachineName:
		return vm.Name
	default:
		return ""
	}
}
