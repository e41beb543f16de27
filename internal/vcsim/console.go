package vcsim

import (
	"net"
	"strconv"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// AcquireTicket answers a ticket for the machine's console, which has to be on.
// Nobody answers where it leads to.
func (vm *VirtualMachine) AcquireTicket(_ *simulator.Context, req *types.AcquireTicket) soap.HasFault {
	switch types.VirtualMachineTicketType(req.TicketType) {
	case types.VirtualMachineTicketTypeWebmks, types.VirtualMachineTicketTypeMks, types.VirtualMachineTicketTypeDevice:
	default:
		return refusal(&types.InvalidArgument{InvalidProperty: "ticketType"})
	}
	if vm.Runtime.PowerState != on {
		return refusal(wrongState(vm.VirtualMachine, on))
	}
	host, port, err := net.SplitHostPort(vm.server.address)
	if err != nil {
		return refusal(&types.SystemError{Reason: err.Error()})
	}
	n, _ := strconv.ParseInt(port, 10, 32)
	ticket := types.VirtualMachineTicket{
		Ticket: uuid.NewString(), CfgFile: vm.Config.Files.VmPathName, Host: host, Port: int32(n),
		SslThumbprint: vm.server.ThumbprintSHA1(),
	}
	if req.TicketType == string(types.VirtualMachineTicketTypeWebmks) {
		ticket.Url = "wss://" + vm.server.address + "/ticket/" + ticket.Ticket
	}
	return &methods.AcquireTicketBody{Res: &types.AcquireTicketResponse{Returnval: ticket}}
}
