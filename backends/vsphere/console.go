package vsphere

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// webSocketPort is where a host or vCenter answers consoles that name no port.
const webSocketPort = 443

// Console acquires a WebMKS ticket: good for one connection within half an hour
// (VirtualMachine.acquireTicket in the API reference).
func (b *Backend) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	const op = "open the console"
	m, err := b.glance(ctx, id, op)
	if err != nil {
		return backends.Console{}, err
	}
	if m.power() != backends.Running {
		return backends.Console{}, backends.Errorf(backends.Precondition, op, m.object(), "the VM is %s, and only one that runs has a console", m.power()).
			Advise("%s", powerRemedy(m.power()))
	}
	res, err := methods.AcquireTicket(ctx, b.conn.VIM(), &types.AcquireTicket{
		This: m.Self, TicketType: string(types.VirtualMachineTicketTypeWebmks),
	})
	if err != nil {
		return backends.Console{}, fault.Wrap(err, op, m.object())
	}
	t := res.Returnval
	host, port := t.Host, int(t.Port)
	if host == "" {
		host = b.conn.VIM().URL().Hostname()
	}
	if port == 0 {
		port = webSocketPort
	}
	return backends.Console{
		Type: "webmks",
		URL:  fmt.Sprintf("wss://%s/ticket/%s", net.JoinHostPort(host, strconv.Itoa(port)), t.Ticket),
	}, nil
}
