package proxmox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

const (
	// agentGlance bounds the questions to one agent during a refresh: what hangs in a guest must not hold up a plan. Proxmox VE
	// itself waits three seconds for an agent that hangs.
	agentGlance = 2 * time.Second
	// guestLimit bounds all the questions of one GuestInfo.
	guestLimit = 30 * time.Second
)

var errGuestHangs = fmt.Errorf("the guest agent did not answer within %s", guestLimit)

// guestAgent asks the agent of one VM. It takes one question after the other: an agent has a single line.
type guestAgent struct {
	b    *Backend
	node string
	vmid int64
}

func (a guestAgent) path(command string) string {
	return pve.Path("nodes", a.node, "qemu", a.vmid, "agent", command)
}

// ask sends a question without parameters. What the agent refuses is Unsupported where it does not know the command.
func (a guestAgent) ask(ctx context.Context, command string, into any) error {
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if err := a.b.conn.Get(ctx, a.path(command), nil, &answer); err != nil {
		return err
	}
	var refused struct {
		Error struct {
			Class pve.Text `json:"class"`
			Desc  pve.Text `json:"desc"`
		} `json:"error"`
	}
	if json.Unmarshal(answer.Result, &refused) == nil && refused.Error.Class+refused.Error.Desc != "" {
		code := backends.Precondition
		if refused.Error.Class == "CommandNotFound" {
			code = backends.Unsupported
		}
		return backends.Errorf(code, "", "", "the guest agent refuses %s: %s", command, refused.Error.Desc)
	}
	if len(answer.Result) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return backends.Errorf(backends.Internal, "", "", "the guest agent's answer to %s cannot be understood: %w", command, err)
	}
	return nil
}

// interfaces asks for what the guest calls its interfaces, and their addresses.
func (a guestAgent) interfaces(ctx context.Context) ([]backends.GuestInterface, error) {
	var rows []struct {
		Name      pve.Text `json:"name"`
		MAC       pve.Text `json:"hardware-address"`
		Addresses []struct {
			Address pve.Text `json:"ip-address"`
		} `json:"ip-addresses"`
	}
	if err := a.ask(ctx, "network-get-interfaces", &rows); err != nil {
		return nil, err
	}
	all := make([]backends.GuestInterface, 0, len(rows))
	for _, r := range rows {
		i := backends.GuestInterface{Name: string(r.Name), MAC: strings.ToLower(string(r.MAC)), Addresses: []string{}}
		for _, x := range r.Addresses {
			i.Addresses = append(i.Addresses, string(x.Address))
		}
		all = append(all, i)
	}
	return all, nil
}

// identity asks for what a guest calls itself, and of what the agent is. What one agent does not tell, another may: only the end
// of ctx is an error.
func (a guestAgent) identity(ctx context.Context, g *backends.Guest) error {
	var name struct {
		Name pve.Text `json:"host-name"`
	}
	if a.ask(ctx, "get-host-name", &name) == nil {
		g.Hostname = string(name.Name)
	}
	var os struct {
		Pretty pve.Text `json:"pretty-name"`
		Name   pve.Text `json:"name"`
		Kernel pve.Text `json:"kernel-release"`
	}
	if a.ask(ctx, "get-osinfo", &os) == nil {
		g.OS, g.Kernel = string(os.Pretty), string(os.Kernel)
		if g.OS == "" {
			g.OS = string(os.Name)
		}
	}
	var about struct {
		Version pve.Text `json:"version"`
	}
	if a.ask(ctx, "info", &about) == nil {
		g.AgentVersion = string(about.Version)
	}
	return ctx.Err()
}

// askGuest asks the agent of a running VM, and adds to vm what it says. One that is silent, hangs or may not be asked leaves
// vm.Guest nil. It costs one request; details cost three more.
func (b *Backend) askGuest(ctx context.Context, m *machine, vm *backends.VM, details bool) {
	ctx, cancel := context.WithTimeout(ctx, agentGlance)
	defer cancel()
	a := guestAgent{b, m.node, m.hardware.VMID}
	interfaces, err := a.interfaces(ctx)
	if err != nil {
		return
	}
	vm.Guest = &backends.Guest{AgentRunning: true, Interfaces: interfaces}
	if details {
		_ = a.identity(ctx, vm.Guest) // what came in time is told
	}
	for key, n := range vm.Networks {
		if addresses, device := vm.Guest.AddressesOf(n.MAC); device != "" || len(addresses) > 0 {
			n.Addresses, n.Device = addresses, device
			vm.Networks[key] = n
		}
	}
}

// guestAgentOf finds the agent of a VM, which must run.
func (b *Backend) guestAgentOf(ctx context.Context, id backends.ID) (a guestAgent, object string, err error) {
	s, err := b.look(ctx, id)
	if err != nil {
		return a, backends.VMObject(string(id)), err
	}
	object = backends.VMObject(s.name())
	if now := s.power(); now != backends.Running {
		return a, object, backends.Errorf(backends.Precondition, "", "", "the VM is %s", now).Advise("%s", powerRemedy(now))
	}
	return guestAgent{b, s.node, int64(s.VMID)}, object, nil
}

// GuestInfo asks the agent of a running VM for all that it tells.
func (b *Backend) GuestInfo(ctx context.Context, id backends.ID) (backends.Guest, error) {
	const op = "ask the guest agent"
	a, object, err := b.guestAgentOf(ctx, id)
	if err != nil {
		return backends.Guest{}, fault.Wrap(err, op, object)
	}
	asking, cancel := context.WithTimeoutCause(ctx, guestLimit, errGuestHangs)
	defer cancel()
	g := backends.Guest{AgentRunning: true}
	if g.Interfaces, err = a.interfaces(asking); err == nil {
		err = a.identity(asking, &g)
	}
	if err == nil {
		err = a.details(asking, &g)
	}
	if err != nil && errors.Is(context.Cause(asking), errGuestHangs) {
		err = backends.Errorf(backends.Timeout, "", "", "%w", errGuestHangs).Advise("Look inside the guest; its agent may wait for a file system that hangs.")
	}
	return g, fault.Wrap(err, op, object)
}

// details asks for what only GuestInfo tells. What an agent does not know is left out.
func (a guestAgent) details(ctx context.Context, g *backends.Guest) error {
	var users []struct {
		User  pve.Text  `json:"user"`
		Since pve.Float `json:"login-time"` // seconds
	}
	if a.ask(ctx, "get-users", &users) == nil {
		g.Users = []backends.GuestUser{}
		for _, u := range users {
			one := backends.GuestUser{Name: string(u.User)}
			if u.Since > 0 {
				one.Since = time.UnixMilli(int64(u.Since * 1000)).UTC()
			}
			g.Users = append(g.Users, one)
		}
	}
	var systems []struct {
		Device pve.Text `json:"name"`
		Mount  pve.Text `json:"mountpoint"`
		Type   pve.Text `json:"type"`
		Total  *pve.Int `json:"total-bytes"`
		Used   *pve.Int `json:"used-bytes"`
	}
	if a.ask(ctx, "get-fsinfo", &systems) == nil {
		g.FileSystems = []backends.GuestFileSystem{}
		for _, s := range systems {
			g.FileSystems = append(g.FileSystems, backends.GuestFileSystem{
				MountPoint: string(s.Mount), Type: string(s.Type), Device: string(s.Device), TotalBytes: bytesOf(s.Total), UsedBytes: bytesOf(s.Used),
			})
		}
	}
	var nanoseconds pve.Int
	if a.ask(ctx, "get-time", &nanoseconds) == nil && nanoseconds > 0 {
		g.Time = time.Unix(0, int64(nanoseconds)).UTC()
	}
	var zone struct {
		Zone pve.Text `json:"zone"`
	}
	if a.ask(ctx, "get-timezone", &zone) == nil {
		g.TimeZone = string(zone.Zone)
	}
	return ctx.Err()
}

// bytesOf is a number of bytes, -1 where it is not told.
func bytesOf(n *pve.Int) int64 {
	if n == nil {
		return -1
	}
	return int64(*n)
}
