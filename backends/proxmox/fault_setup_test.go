package proxmox_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// cluster is a simulator, the driver on it, and somebody who works by hand.
type cluster struct {
	backends.Backend
	*testing.T
	sim  *pvesim.Server
	hand *pve.Client
}

// clusterOf starts a simulator. Close of the driver is checked, because it waits for what is in the background.
func clusterOf(t *testing.T, o pvesim.Options, d proxmox.Defaults) *cluster {
	t.Helper()
	s := pvesim.Start(t, o)
	if d.Storage == "" {
		d.Storage = "local"
	}
	c := &cluster{Backend: connect(t, s, d), T: t, sim: s}
	hand, err := pve.Open(t.Context(), pve.Config{Endpoints: []string{s.URL()}, APIToken: s.Token(), CACertificate: s.CACertificate()})
	if err != nil {
		t.Fatal(err)
	}
	c.hand = hand
	t.Cleanup(func() {
		_ = hand.Close()
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// as opens the driver once more, with another token.
func (c *cluster) as(token string, d proxmox.Defaults) backends.Backend {
	c.Helper()
	b, err := proxmox.Open(c.Context(), proxmox.Config{
		Config: pve.Config{Endpoints: []string{c.sim.URL()}, APIToken: token, CACertificate: c.sim.CACertificate()}, Defaults: d,
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = b.Close() })
	return b
}

// small is the least that a VM can be.
func small(name string) *backends.VMSpec {
	return &backends.VMSpec{
		Name: name, CreateToken: "token of " + name,
		CPU: backends.CPU{Cores: new(int64(1))}, Memory: backends.Memory{SizeMiB: new(int64(256))},
		Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1)), Storage: new("local")}},
	}
}

func (c *cluster) create(spec *backends.VMSpec) backends.ID {
	c.Helper()
	id, err := c.CreateVM(c.Context(), spec)
	if err != nil {
		c.Fatalf("CreateVM(%s): %v", spec.Name, err)
	}
	return id
}

func (c *cluster) power(id backends.ID, actions ...backends.PowerAction) {
	c.Helper()
	for _, a := range actions {
		if err := c.SetPower(c.Context(), id, a); err != nil {
			c.Fatalf("SetPower(%s): %v", a, err)
		}
	}
}

func (c *cluster) read(id backends.ID) (*backends.VM, error) {
	c.Helper()
	got, err := c.GetVMs(c.Context(), []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime|backends.AspectSeed)
	if err != nil {
		c.Fatal(err)
	}
	return got[id].VM, got[id].Err
}

func (c *cluster) mustRead(id backends.ID) *backends.VM {
	c.Helper()
	vm, err := c.read(id)
	if err != nil {
		c.Fatal(err)
	}
	return vm
}

// change makes a VM what edit makes of it.
func (c *cluster) change(id backends.ID, mode backends.ReconfigureMode, edit func(*backends.VMSpec)) error {
	c.Helper()
	vm, to := c.mustRead(id), c.mustRead(id).Config
	edit(&to)
	return c.Reconfigure(c.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: mode})
}

// vms are the VMIDs of all VMs that there are.
func (c *cluster) vms() []string {
	c.Helper()
	var rows []struct{ VMID pve.Int }
	if err := c.hand.Get(context.WithoutCancel(c.Context()), "/cluster/resources", url.Values{"type": {"vm"}}, &rows); err != nil {
		c.Fatal(err)
	}
	all := []string{}
	for _, r := range rows {
		all = append(all, strconv.FormatInt(int64(r.VMID), 10))
	}
	return all
}

// config is a VM's configuration as it is at a node.
func (c *cluster) config(node string, id backends.ID) pve.Values {
	c.Helper()
	var v pve.Values
	if err := c.hand.Get(context.WithoutCancel(c.Context()), pve.Path("nodes", node, "qemu", id, "config"), nil, &v); err != nil {
		c.Fatal(err)
	}
	return v
}

// set changes a configuration by hand.
func (c *cluster) set(node string, id backends.ID, form map[string]any) {
	c.Helper()
	if err := c.hand.Put(c.Context(), pve.Path("nodes", node, "qemu", id, "config"), form, nil); err != nil {
		c.Fatal(err)
	}
}

// thick adds a storage of so many GiB whose disks take all their space at once.
func (c *cluster) thick(gib int64) {
	c.Helper()
	form := map[string]any{"storage": "thick", "type": "lvm", "vgname": "vg0", "content": "images"}
	if err := c.hand.Post(c.Context(), "/storage", form, nil); err != nil {
		c.Fatal(err)
	}
	c.sim.SetStorageSpace("thick", gib<<30)
}

// task runs a task by hand.
func (c *cluster) task(method, path string, form map[string]any) {
	c.Helper()
	if _, err := c.hand.Task(c.Context(), "work", "by hand", method, path, form); err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
}

// waiting are the keys that wait for a VM's next start.
func (c *cluster) waiting(node string, id backends.ID) []string {
	c.Helper()
	var rows []map[string]any
	if err := c.hand.Get(c.Context(), pve.Path("nodes", node, "qemu", id, "pending"), nil, &rows); err != nil {
		c.Fatal(err)
	}
	keys := []string{}
	for _, r := range rows {
		if r["pending"] != nil || r["delete"] != nil {
			keys = append(keys, fmt.Sprint(r["key"]))
		}
	}
	return keys
}

// wants checks the code, the attribute and some words of an error. Where path is "", none is looked at.
func wants(t testing.TB, err error, code backends.Code, path backends.Path, words ...string) {
	t.Helper()
	var e *backends.Error
	if backends.CodeOf(err) != code || !errors.As(err, &e) {
		t.Errorf("code %q, want %q: %v", backends.CodeOf(err), code, err)
		return
	}
	if path != "" && e.Path != path {
		t.Errorf("the error blames %q, want %q: %v", e.Path, path, err)
	}
	for _, w := range words {
		if !strings.Contains(e.Error()+"\n"+e.Remedy, w) {
			t.Errorf("%q is not in: %v\n%s", w, e, e.Remedy)
		}
	}
}

// until waits for what happens beside.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never", what)
		}
	}
}
