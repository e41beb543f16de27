package proxmox_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const everything = backends.AspectConfig | backends.AspectRuntime | backends.AspectSeed

// A node that is down takes nothing with it: what is at others is read, what is on it cannot be read now.
func TestReadWithNodeDown(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}}, proxmox.Defaults{})
	var ids []backends.ID
	for i := range 4 {
		spec := small(fmt.Sprintf("vm-%d", i))
		spec.Placement.Host = new(fmt.Sprintf("pve%d", 1+i%2))
		ids = append(ids, c.create(spec))
	}
	ids = append(ids, "4711", "no number")
	c.sim.SetNodeOnline("pve2", false)
	got, err := c.GetVMs(t.Context(), ids, everything)
	if err != nil || len(got) != len(ids) {
		t.Fatalf("%d results: %v", len(got), err)
	}
	for i, want := range []backends.Code{"", backends.Transient, "", backends.Transient, backends.NotFound, backends.NotFound} {
		if code := backends.CodeOf(got[ids[i]].Err); code != want {
			t.Errorf("%s: %q, want %q: %v", ids[i], code, want, got[ids[i]].Err)
		}
	}
	list, err := c.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(list) != 4 {
		t.Errorf("%+v %v", list, err)
	}
	for _, s := range list {
		if (s.Power == backends.Unknown) != (s.Host == "pve2") {
			t.Errorf("%+v", s)
		}
	}
	c.sim.SetNodeOnline("pve2", true)
	if _, err := c.read(ids[1]); err != nil {
		t.Error(err)
	}
}

// What an account may not see is not gone.
func TestReadWithoutPrivilege(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	hidden, seen := c.create(small("hidden")), c.create(small("seen"))
	c.sim.AddUser("tf@pve", "secret-password")
	token := c.sim.AddToken("tf@pve", "ci", false)
	c.sim.Grant("tf@pve", "/vms/"+string(seen), "VM.Audit")
	b := c.as(token, proxmox.Defaults{Node: "pve1", Storage: "local"})
	got, err := b.GetVMs(t.Context(), []backends.ID{hidden, seen}, everything)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, got[hidden].Err, backends.Auth, "", "VM.Audit", "/vms/"+string(hidden), "tf@pve!ci")
	if got[seen].Err != nil || got[seen].VM.Config.Name != "seen" {
		t.Errorf("%+v", got[seen])
	}
	wants(t, b.DeleteVM(t.Context(), hidden, backends.DeleteOptions{}), backends.Auth, "", "VM.Audit")
	wants(t, b.DeleteVM(t.Context(), seen, backends.DeleteOptions{}), backends.Auth, "", "VM.Allocate", "pveum acl modify")
	wants(t, b.SetPower(t.Context(), hidden, backends.PowerOn), backends.Auth, "")
	wants(t, b.SetPower(t.Context(), seen, backends.PowerOn), backends.Auth, "", "VM.PowerMgmt")
	id, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "new"})
	wants(t, err, backends.Auth, "", "tf@pve!ci")
	if id != "" || len(c.vms()) != 2 {
		t.Errorf("id %q, VMs %v", id, c.vms())
	}
	list, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(list) != 1 || !list[0].Owned {
		t.Errorf("%+v %v", list, err)
	}
}

// A ticket that ends in the middle of work is renewed, once for all.
func TestTicketEnds(t *testing.T) {
	c := clusterOf(t, pvesim.Options{TaskTime: 100 * time.Millisecond}, proxmox.Defaults{})
	b, err := proxmox.Open(t.Context(), proxmox.Config{
		Config:   pve.Config{Endpoints: []string{c.sim.URL()}, Username: "root@pam", Password: c.sim.Password(), CACertificate: c.sim.CACertificate()},
		Defaults: proxmox.Defaults{Storage: "local"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	logins := c.sim.Logins()
	c.sim.ExpireTickets()
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			if _, err := b.CreateVM(t.Context(), small(fmt.Sprintf("vm-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "a task", func() bool { return c.sim.Requests()["GET /nodes/{node}/tasks/{upid}/status"] > 0 })
	c.sim.ExpireTickets()
	work.Wait()
	if n := c.sim.Logins() - logins; n > 3 {
		t.Errorf("%d logins", n)
	}
}

// A refresh of many VMs costs one request each, and a few.
func TestRefreshBudget(t *testing.T) {
	c := clusterOf(t, pvesim.Options{VMs: 50, Nodes: []string{"pve1", "pve2", "pve3"}}, proxmox.Defaults{})
	var ids []backends.ID
	for _, id := range c.vms() {
		ids = append(ids, backends.ID(id))
	}
	c.sim.ResetRequests()
	got, err := c.GetVMs(t.Context(), ids, everything)
	if err != nil || len(got) != 50 {
		t.Fatal(len(got), err)
	}
	for id, r := range got {
		if r.Err != nil {
			t.Errorf("%s: %v", id, r.Err)
		}
	}
	if n := total(c.sim.Requests()); n > 55 {
		t.Errorf("%d requests: %v", n, c.sim.Requests())
	}
	c.sim.ResetRequests()
	if _, err := c.ListVMs(t.Context(), backends.VMFilter{Names: []string{"bulk-0001"}}); err != nil {
		t.Fatal(err)
	}
	if n := total(c.sim.Requests()); n > 5 {
		t.Errorf("%d requests to find one: %v", n, c.sim.Requests())
	}
}

func total(requests map[string]int) (n int) {
	for _, k := range requests {
		n += k
	}
	return n
}

// ListVMs finds what its filter says, all of it at once.
func TestListFilters(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	a, b := small("a"), small("b")
	a.Tags, b.Tags, b.Placement.Host = []string{"blue", "web"}, []string{"web"}, new("pve2")
	c.power(c.create(a), backends.PowerOn)
	c.create(b)
	c.task(http.MethodPost, "/nodes/pve2/qemu", map[string]any{"vmid": 700, "tags": "web"})
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 701, "name": "t"})
	c.task(http.MethodPost, "/nodes/pve1/qemu/701/template", nil)
	for want, filter := range map[string]backends.VMFilter{
		"VM 700 a b t": {},
		"a":            {Names: []string{"a", "x"}, Tags: []string{"web", "blue"}},
		"VM 700 b":     {Host: "pve2"},
		"VM 700 a b":   {Tags: []string{"web"}},
		"VM 700 b t":   {Power: backends.Stopped},
		"":             {Names: []string{}},
	} {
		list, err := c.ListVMs(t.Context(), filter)
		var names []string
		for _, s := range list {
			names = append(names, s.Name)
			if owned := s.Name == "a" || s.Name == "b"; s.Owned != owned || s.Template != (s.Name == "t") {
				t.Errorf("%+v", s)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%+v: %q, want %q, %v", filter, got, want, err)
		}
	}
}

// A creation costs a few requests beyond those which all creations share.
func TestCreateBudget(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{Node: "pve1"})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {}}
	c.sim.ResetRequests()
	c.create(spec)
	requests := c.sim.Requests()
	for _, shared := range []string{
		"GET /cluster/resources", "GET /nodes", "GET /nodes/{node}/qemu", "GET /nodes/{node}/network", "GET /nodes/{node}/storage", "GET /storage",
	} {
		if requests[shared] > 1 && shared != "GET /cluster/resources" {
			t.Errorf("%d times %s", requests[shared], shared)
		}
		delete(requests, shared)
	}
	if n := total(requests); n > 8 {
		t.Errorf("%d requests: %v", n, slices.Sorted(maps.Keys(requests)))
	}
}
