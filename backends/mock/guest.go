package mock

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// answers reports whether a VM's pretended agent would answer.
func (b *Backend) answers(m *machine) bool {
	return m.Power == backends.Running && !m.Partial &&
		b.faults.check([]string{"Guest"}, []string{m.Spec.Name, string(m.ID)}, "", "") == nil
}

// guest is what the agent of a running VM says.
func (m *machine) guest() backends.Guest {
	s := m.now()
	g := backends.Guest{
		Hostname: s.Name, OS: m.Guest, Kernel: "6.1.0-mock-amd64", AgentVersion: "1.0-mock", AgentRunning: true,
		Interfaces: []backends.GuestInterface{{Name: "lo", MAC: "00:00:00:00:00:00", Addresses: []string{"127.0.0.1", "::1"}}},
	}
	if strings.Contains(m.Guest, "Windows") {
		g.Kernel = "10.0.20348"
	}
	switch {
	case s.CloudInit != nil && s.CloudInit.Hostname != nil:
		g.Hostname = *s.CloudInit.Hostname
	case s.Customization != nil && s.Customization.Hostname != "":
		g.Hostname = s.Customization.Hostname
	}
	for _, key := range byOrder(s.Networks) {
		n := s.Networks[key]
		i := backends.GuestInterface{Name: device(s.Networks, key), MAC: *n.MAC}
		if *n.Connected {
			i.Addresses = append(m.addresses(key, n), linkLocal(*n.MAC))
		}
		g.Interfaces = append(g.Interfaces, i)
	}
	return g
}

// nic is what is known of an interface: with the agent's help, or only what the
// DHCP server knows.
func (m *machine) nic(key string, n backends.NIC, agent bool) backends.NICStatus {
	status := backends.NICStatus{MAC: *n.MAC}
	if m.Power != backends.Running {
		return status
	}
	running, plugged := m.now().Networks[key]
	if !plugged || !*running.Connected {
		return status
	}
	if agent {
		status.Device = device(m.now().Networks, key)
		status.Addresses = m.addresses(key, running)
	} else if lease := m.Leases[key]; lease != "" && running.IPv4 == nil {
		status.Addresses = []string{lease}
	}
	return status
}

// addresses are those of an interface of a running VM, IPv4 first.
func (m *machine) addresses(key string, n backends.NIC) []string {
	var all []string
	if n.IPv4 == nil {
		if lease := m.Leases[key]; lease != "" {
			all = append(all, lease)
		}
	}
	for _, ip := range []*backends.IPConfig{n.IPv4, n.IPv6} {
		if ip == nil {
			continue
		}
		for _, cidr := range append([]string{ip.Address}, ip.Extra...) {
			if p, err := netip.ParsePrefix(cidr); err == nil {
				all = append(all, p.Addr().String())
			}
		}
	}
	return all
}

// byOrder returns the keys of NICs in the order in which the guest sees them.
func byOrder(nics map[string]backends.NIC) []string {
	keys := sortedKeys(nics)
	slices.SortStableFunc(keys, func(x, y string) int { return cmp.Compare(value(nics[x].Order), value(nics[y].Order)) })
	return keys
}

func device(nics map[string]backends.NIC, key string) string {
	return fmt.Sprintf("eth%d", slices.Index(byOrder(nics), key))
}

// linkLocal is the address that an interface gives itself.
func linkLocal(mac string) string {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return "fe80::1"
	}
	return netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80, 8: hw[0] ^ 2, 9: hw[1], 10: hw[2], 11: 0xff, 12: 0xfe, 13: hw[3], 14: hw[4], 15: hw[5],
	}).String()
}

// lease gives each NIC without a static address one from its network's range:
// the one that its MAC decides, or the next that nobody has.
func (b *Backend) lease(w *world, m *machine) {
	taken := map[string]bool{}
	for id, other := range w.Machines {
		if id == m.ID {
			continue
		}
		for key, n := range other.Spec.Networks {
			for _, a := range other.addresses(key, n) {
				taken[a] = true
			}
		}
	}
	leases := map[string]string{}
	for _, key := range sortedKeys(m.Spec.Networks) {
		n := m.Spec.Networks[key]
		network, err := b.findNetwork(*n.Network)
		if err != nil || n.IPv4 != nil {
			continue
		}
		base := network.leases.Masked().Addr().As4()
		const first, size = 256, 65000 // of a /16, without its first /24
		start := w.pick(size, "lease", *n.MAC)
		for i := range size {
			host := first + (start+i)%size
			a := netip.AddrFrom4([4]byte{base[0], base[1], byte(host >> 8), byte(host)}).String() //nolint:gosec // below 65,256
			if !taken[a] {
				leases[key], taken[a] = a, true
				break
			}
		}
	}
	m.Leases = leases
}

// GuestInfo asks the pretended agent.
func (b *Backend) GuestInfo(ctx context.Context, id backends.ID) (backends.Guest, error) {
	const op = "ask the guest agent"
	c, err := b.onVM(id, "GuestInfo", "", op)
	if err != nil {
		return backends.Guest{}, err
	}
	if err := b.catalogue.Require(backends.FeatureGuestAgent, op, c.object); err != nil {
		return backends.Guest{}, err
	}
	if err := b.read(ctx, "GuestInfo", op, c.object, c.names...); err != nil {
		return backends.Guest{}, err
	}
	var g backends.Guest
	err = b.store.view(func(w *world) error {
		m := w.Machines[id]
		switch {
		case m == nil:
			return noVM(id)
		case m.Power != backends.Running:
			return backends.Errorf(backends.Precondition, "", "", "the VM is %s, so no agent runs", m.Power).Advise("Start the VM.")
		case !b.answers(m):
			return backends.Errorf(backends.Precondition, "", "", "the guest agent does not answer")
		}
		g = m.guest()
		if b.catalogue.Supports(backends.FeatureGuestMonitoring) {
			b.monitor(w, m, &g)
		}
		return nil
	})
	return g, backends.Wrap(err, op, c.object)
}

// monitor adds what an agent tells only where it is asked: a clock that is the
// mock's, somebody who logged in at the start, and a file system on each disk.
func (b *Backend) monitor(w *world, m *machine, g *backends.Guest) {
	s := m.now()
	windows := strings.Contains(m.Guest, "Windows")
	g.Time, g.TimeZone = b.clock.Now().UTC(), "UTC"
	if s.Customization != nil && s.Customization.TimeZone != "" {
		g.TimeZone = s.Customization.TimeZone
	}
	user := "root"
	switch {
	case s.CloudInit != nil && len(s.CloudInit.Users) > 0:
		user = s.CloudInit.Users[0].Name
	case windows:
		user = "Administrator"
	}
	g.Users = []backends.GuestUser{{Name: user, Since: m.Started}}
	g.FileSystems = []backends.GuestFileSystem{}
	for _, key := range sortedKeys(m.Disks) {
		d := m.Disks[key]
		fs := backends.GuestFileSystem{
			MountPoint: "/mnt/" + key, Type: "ext4", Device: "/dev/" + d.Device + "1", TotalBytes: d.Bytes - d.Bytes/20,
		}
		if key == "root" {
			fs.MountPoint = "/"
		}
		if windows {
			fs.Type, fs.MountPoint = "NTFS", string(rune('C'+len(g.FileSystems)))+`:\`
		}
		fs.UsedBytes = min(fs.TotalBytes, max(d.Bytes/50, w.content(d)))
		g.FileSystems = append(g.FileSystems, fs)
	}
}
