package libvirt

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// meter passes connections through and counts the calls that clients make, by procedure number.
type meter struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	calls    map[uint32]int
}

func newMeter(t *testing.T, target string) *meter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{listener: listener, target: target, calls: map[uint32]int{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return m
}

func (m *meter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", m.target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	for {
		// A message is its length, then program, version, procedure and more.
		head := make([]byte, 16)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		const remote, qemu = 0x20008086, 0x20008087
		if program := binary.BigEndian.Uint32(head[4:]); program == remote || program == qemu {
			m.mu.Lock()
			m.calls[binary.BigEndian.Uint32(head[12:])]++
			m.mu.Unlock()
		}
		if _, err := server.Write(head); err != nil {
			return
		}
		if _, err := io.CopyN(server, client, int64(binary.BigEndian.Uint32(head))-16); err != nil {
			return
		}
	}
}

// since runs fn and returns the calls that it made, by procedure number, and their sum.
func (m *meter) since(fn func()) (calls map[uint32]int, total int) {
	m.mu.Lock()
	m.calls = map[uint32]int{}
	m.mu.Unlock()
	fn()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.calls {
		total += n
	}
	return m.calls, total
}

// TestRefreshCalls holds a refresh to one call per VM, its definition, and a few for all.
func TestRefreshCalls(t *testing.T) {
	l := libvirtlab.Shared(t)
	m := newMeter(t, l.TCPAddr())
	b, err := open(t.Context(), Config{Config: conn.Config{URI: "qemu+tcp://" + m.listener.Addr().String() + "/system"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		l.AssertEmpty(t)
	})
	clock := time.Now()
	b.now = func() time.Time { return clock }
	const vms = 12
	var ids []backends.ID
	for i := range vms {
		spec := blank(fmt.Sprintf("refresh-%d", i))
		spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1))}
		spec.Networks = map[string]backends.NIC{"lan": {}, "dmz": {Network: ptr(libvirtlab.StaticNetwork)}}
		ids = append(ids, create(t, b, spec))
	}
	read := func(aspects backends.Aspects) func() {
		return func() {
			got, err := b.GetVMs(t.Context(), ids, aspects)
			if err != nil {
				t.Fatal(err)
			}
			for id, r := range got {
				if r.Err != nil {
					t.Errorf("%s: %v", id, r.Err)
				}
			}
		}
	}
	const xmlDesc, allStats, listDomains, listNetworks, leases = 14, 344, 273, 283, 341
	for _, c := range []struct {
		name   string
		before func()
		want   map[uint32]int
	}{
		{"stopped", func() {}, map[uint32]int{xmlDesc: vms, allStats: 1, listDomains: 2}},
		{
			"one running", func() { power(t, b, ids[0], backends.PowerOn) },
			map[uint32]int{xmlDesc: vms, allStats: 1, listDomains: 2, listNetworks: 1, leases: 2},
		},
	} {
		c.before()
		read(everything)() // opens the connections that the load wants
		clock = clock.Add(time.Minute)
		calls, total := m.since(read(backends.AspectConfig | backends.AspectRuntime))
		if fmt.Sprint(calls) != fmt.Sprint(c.want) {
			t.Errorf("%s: a refresh of %d VMs made the calls %v, want %v", c.name, vms, calls, c.want)
		}
		t.Logf("%s: a refresh of %d VMs made %d calls", c.name, vms, total)
		// The next part of the same refresh does not ask for the lists again.
		delete(c.want, listDomains)
		if calls, _ := m.since(read(backends.AspectConfig | backends.AspectRuntime)); fmt.Sprint(calls) != fmt.Sprint(c.want) {
			t.Errorf("%s: the next part of a refresh made the calls %v, want %v", c.name, calls, c.want)
		}
	}
	calls, total := m.since(func() {
		if list, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"refresh-3"}}); err != nil || len(list) != 1 {
			t.Errorf("listed %v, %v", list, err)
		}
	})
	if total > 3 {
		t.Errorf("finding one VM by name made the calls %v", calls)
	}
}

// A list that is remembered ends with the next write, and soon without one.
func TestRememberedListsEnd(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	clock := time.Now()
	b.now = func() time.Time { return clock }
	id := create(t, b, blank("flags"))
	autostart := func() bool { return *get(t, b, id).Config.Libvirt.Autostart }
	state := func() backends.PowerState { return get(t, b, id).Power }
	if autostart() {
		t.Fatal("a new VM starts with the host")
	}
	l.Virsh(t, "autostart", "flags")
	clock = clock.Add(2 * flaggedFor)
	if !autostart() {
		t.Error("a flag that another program set is not seen later")
	}
	power(t, b, id, backends.PowerOn)
	if got := state(); got != backends.Running {
		t.Errorf("after the start the VM is %s", got)
	}
	power(t, b, id, backends.Suspend)
	if got := state(); got != backends.Suspended {
		t.Errorf("after the suspension the VM is %s", got)
	}
	power(t, b, id, backends.PowerOff)
	if got := state(); got != backends.Stopped {
		t.Errorf("after the stop the VM is %s", got)
	}
}
