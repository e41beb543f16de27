package pvesim

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// guestVM is a VM 900 with a marked disk, or with a blank one, and one interface.
func guestVM(t *testing.T, s *Server, marked bool, config map[string]string) *machine {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := newMachine(900, s.nodes[0])
	m.config = section{"name": "web", "agent": "1", "memory": "768", "cores": "2", "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0"}
	maps.Copy(m.config, config)
	v, err := s.allocate(s.storage("local-lvm"), "pve1", 900, "", gib)
	if err != nil {
		t.Fatal(err)
	}
	if marked {
		if _, err := v.data.WriteAt([]byte(GuestMarker), 0); err != nil {
			t.Fatal(err)
		}
	}
	m.config["scsi0"] = v.volid + ",size=1G"
	s.machines[900] = m
	return m
}

// power switches the VM as its power states do.
func (m *machine) power(s *Server, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.running = on
	if on {
		m.started = time.Now()
		s.guestStarted(m)
	} else {
		s.guestStopped(m)
	}
}

// field walks into maps.
func field(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestNoGuestOnBlankDisk(t *testing.T) {
	s := Start(t, Options{})
	m := guestVM(t, s, false, nil)
	m.power(s, true)
	_, err := agentCall(t, s, "POST", "/ping", nil)
	wantError(t, err, "QEMU guest agent is not running")
	s.mu.Lock()
	_, obeys := s.guestObeys(m)
	s.mu.Unlock()
	if obeys || s.Guest(900).Hostname() != "" {
		t.Error("a blank disk has a guest")
	}

	all := Start(t, Options{Guests: true})
	m = guestVM(t, all, false, nil)
	m.power(all, true)
	if !all.Guest(900).Boot() {
		t.Error("no guest although every VM has one")
	}
}

// addresses are those of an interface as the agent tells them, the link's own left out.
func addresses(t *testing.T, s *Server, mac string) []string {
	t.Helper()
	got, err := agentCall(t, s, "GET", "/network-get-interfaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := field(got, "result").([]any)
	for _, i := range list {
		if field(i, "hardware-address") != mac {
			continue
		}
		found := []string{}
		all, _ := field(i, "ip-addresses").([]any)
		for _, a := range all {
			ip, _ := field(a, "ip-address").(string)
			if !netip.MustParseAddr(ip).IsLinkLocalUnicast() {
				found = append(found, ip)
			}
		}
		return found
	}
	return nil
}

const firstMAC = "bc:24:11:00:00:01"

func TestGuestAddresses(t *testing.T) {
	seed, err := cloudinit.ISO(cloudinit.Seed{
		MetaData: "instance-id: i-1\nlocal-hostname: seeded\n", UserData: "#cloud-config\n{}\n",
		NetworkConfig: "version: 2\nethernets:\n  lan:\n    match: {macaddress: \"" + firstMAC + "\"}\n    set-name: lan\n    addresses: [192.0.2.20/24]\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, hostname string
		config         map[string]string
		want           []string // "lease" is one of the network's DHCP server
	}{
		{"nothing said", "localhost", nil, []string{"lease"}},
		{"no DHCP there", "localhost", map[string]string{"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr1"}, []string{}},
		{"no link", "localhost", map[string]string{"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0,link_down=1"}, []string{}},
		{"cloud-init without ipconfig", "web", map[string]string{"ide2": "local-lvm:vm-900-cloudinit,media=cdrom"}, []string{}},
		{"cloud-init, DHCP", "web", map[string]string{"ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "ipconfig0": "ip=dhcp"}, []string{"lease"}},
		{"cloud-init, static", "web", map[string]string{
			"ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "ipconfig0": "ip=192.0.2.10/24,gw=192.0.2.1,ip6=2001:db8::10/64",
		}, []string{"192.0.2.10", "2001:db8::10"}},
		{"seed", "seeded", map[string]string{"ide2": "local:iso/seed.iso,media=cdrom"}, []string{"192.0.2.20"}},
		{"snippets", "custom", map[string]string{
			"ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "cicustom": "user=local:snippets/user.yaml", "ipconfig0": "ip=192.0.2.11/24",
		}, []string{"192.0.2.11"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Start(t, Options{})
			for name, text := range map[string]string{"iso/seed.iso": string(seed), "snippets/user.yaml": "#cloud-config\nhostname: custom\n"} {
				putFile(t, s, "local:"+name, text)
			}
			m := guestVM(t, s, true, c.config)
			m.power(s, true)
			s.Guest(900).Boot()
			got := addresses(t, s, firstMAC)
			if slices.Equal(c.want, []string{"lease"}) {
				if len(got) != 1 || !strings.HasPrefix(got[0], "10.10.0.") {
					t.Errorf("addresses %v, want a lease", got)
				}
			} else if !slices.Equal(got, c.want) {
				t.Errorf("addresses %v, want %v", got, c.want)
			}
			if all := s.Guest(900).Addresses()["net0"]; len(all) != len(got) {
				t.Errorf("a test sees %v, a client %v", all, got)
			}
			name, err := agentCall(t, s, "GET", "/get-host-name", nil)
			if err != nil || field(name, "result", "host-name") != c.hostname || s.Guest(900).Hostname() != c.hostname {
				t.Errorf("it calls itself %v (%v), want %s", name, err, c.hostname)
			}
		})
	}
}

// putFile puts a file on a storage.
func putFile(t *testing.T, s *Server, volid, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	id, name, _ := cutVolid(volid)
	kind, _, _ := strings.Cut(name, "/")
	v := s.add(&volume{volid: volid, node: s.nodes[0].name, storage: s.storage(id), content: kind, size: int64(len(text))})
	if v.data == nil {
		v.data = newContent(s.volumes.spool, 0)
	}
	if _, err := v.data.WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// A guest whose network is not up yet has an agent that tells its interfaces and no addresses.
func TestGuestNetworkTakesLonger(t *testing.T) {
	s := Start(t, Options{})
	m := guestVM(t, s, true, nil)
	s.Guest(900).SetNetworkDelay(time.Hour)
	m.power(s, true)
	s.Guest(900).Boot()
	if got := addresses(t, s, firstMAC); got == nil || len(got) > 0 {
		t.Errorf("a network that is not up has %v", got)
	}
	s.Guest(900).SetNetworkDelay(0)
	if got := addresses(t, s, firstMAC); len(got) != 1 {
		t.Errorf("one that is up has %v", got)
	}
}

// An interface that comes while the guest runs is seen, without an address where cloud-init configures the network; two
// machines never have the same lease.
func TestGuestInterfacesComeAndGo(t *testing.T) {
	s := Start(t, Options{})
	m := guestVM(t, s, true, map[string]string{"ide2": "local-lvm:vm-900-cloudinit,media=cdrom", "ipconfig0": "ip=192.0.2.10/24"})
	m.power(s, true)
	s.Guest(900).Boot()
	s.mu.Lock()
	m.config["net1"] = "virtio=BC:24:11:00:00:02,bridge=vmbr0"
	s.mu.Unlock()
	if got := addresses(t, s, "bc:24:11:00:00:02"); got == nil || len(got) > 0 {
		t.Errorf("an interface that was plugged in has %v", got)
	}
	s.mu.Lock()
	delete(m.config, "net1")
	s.mu.Unlock()
	if got := addresses(t, s, "bc:24:11:00:00:02"); got != nil {
		t.Errorf("one that was taken away has %v", got)
	}
	l := newLeases()["vmbr0"]
	seen := map[netip.Addr]bool{}
	for i := range 240 {
		a := l.lease(netip.AddrFrom4([4]byte{byte(i)}).String())
		if !a.IsValid() || seen[a] {
			t.Fatalf("lease %d: %v", i, a)
		}
		seen[a] = true
	}
	if a := l.lease("one too many"); a.IsValid() {
		t.Errorf("a network that is full leases %v", a)
	}
}

// A guest that refuses to shut down does not; one that obeys says after how long.
func TestGuestObeys(t *testing.T) {
	s := Start(t, Options{})
	m := guestVM(t, s, true, nil)
	g := s.Guest(900)
	g.SetDelay(time.Minute)
	m.power(s, true)
	obeys := func() (time.Duration, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.guestObeys(m)
	}
	if after, ok := obeys(); !ok || after <= time.Minute {
		t.Errorf("a guest that boots obeys after %v: %v", after, ok)
	}
	g.RefuseShutdown(true)
	if _, ok := obeys(); ok {
		t.Error("a guest that refuses obeys")
	}
	g.RefuseShutdown(false)
	m.power(s, false)
	if _, ok := obeys(); ok {
		t.Error("a VM that is off obeys")
	}
}
