package pvesim

import (
	"fmt"
	"time"
)

// Guest is the guest of one VM, or what would be one if the VM ran: how it behaves is kept from start to start.
type Guest struct {
	c *cluster
	m *machine
}

// Guest returns the guest of a VM, which must be there.
func (s *Server) Guest(vmid int) *Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[vmid]
	if m == nil {
		panic(fmt.Sprintf("pvesim: no VM %d", vmid))
	}
	return &Guest{s.cluster, m}
}

func (g *Guest) set(f func(*guestControl)) {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	f(&g.m.control)
}

// SetSilent lets the guest have no agent, or one again: "QEMU guest agent is not running".
func (g *Guest) SetSilent(silent bool) { g.set(func(k *guestControl) { k.silent = silent }) }

// SetHanging lets the agent take questions and not answer: each costs its client the 3 s that Proxmox VE waits, or
// Options.AgentWait.
func (g *Guest) SetHanging(hanging bool) { g.set(func(k *guestControl) { k.hanging = hanging }) }

// RefuseShutdown lets the guest ignore, or obey again, requests to shut down and to reboot.
func (g *Guest) RefuseShutdown(refuse bool) { g.set(func(k *guestControl) { k.stays = refuse }) }

// SetDelay sets how long the guest takes to boot and to shut down, from the next time on; 0 is 10 ms.
func (g *Guest) SetDelay(d time.Duration) { g.set(func(k *guestControl) { k.delay = d }) }

// SetNetworkDelay sets how much longer than its agent the guest's network takes to come up, 0 unless set: until then
// the interfaces have the kernel's names and no addresses, as those of real guests for some seconds.
func (g *Guest) SetNetworkDelay(d time.Duration) { g.set(func(k *guestControl) { k.network = d }) }

// OnExec lets f run what the agent is asked to run; found is whether there is such a command. f is called with
// the server's lock held and must not ask the server.
func (g *Guest) OnExec(f func(command []string, input string) (stdout, stderr string, exitCode int, found bool)) {
	g.set(func(k *guestControl) { k.exec = f })
}

// File returns a file that was written through the agent.
func (g *Guest) File(name string) (text string, ok bool) {
	g.set(func(k *guestControl) { text, ok = k.files[name] })
	return text, ok
}

// Boot lets the agent answer now, where the guest has not booted yet. It reports whether there is an agent that answers.
func (g *Guest) Boot() bool {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.m.inGuest != nil {
		g.m.inGuest.answers = time.Now()
	}
	return g.c.guestAnswers(g.m)
}

// Hostname returns what the guest calls itself, "" where none runs.
func (g *Guest) Hostname() string {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if g.m.inGuest == nil {
		return ""
	}
	return g.m.inGuest.hostname()
}

// Addresses returns the addresses of the guest by the name of its interface in the configuration, "net0", those of
// the link itself left out.
func (g *Guest) Addresses() map[string][]string {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	all := map[string][]string{}
	if g.m.inGuest == nil {
		return all
	}
	for _, n := range g.c.guestNICs(g.m) {
		for _, p := range n.addresses {
			if !p.Addr().IsLinkLocalUnicast() {
				key := fmt.Sprintf("net%d", n.index)
				all[key] = append(all[key], p.String())
			}
		}
	}
	return all
}

// guestPowersOff lets a guest turn its VM off, as one does that was asked from the inside.
func (c *cluster) guestPowersOff(m *machine) {
	after, obeys := c.guestObeys(m)
	if !obeys {
		return
	}
	g := m.inGuest
	c.work.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if m.running && m.inGuest == g {
			c.ends(m)
		}
	})
}
