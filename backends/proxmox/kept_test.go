package proxmox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// TestKept: what is sent for each attribute is kept by a simulated cluster so that it reads back, when a VM is made
// with it and when one is changed to it. Some of it only root himself may set.
func TestKept(t *testing.T) {
	for _, version := range []int{8, 9} {
		t.Run(fmt.Sprint(version), func(t *testing.T) { kept(t, version) })
	}
}

func kept(t *testing.T, version int) {
	s := pvesim.Start(t, pvesim.Options{Version: version})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := pve.Open(ctx, pve.Config{Endpoints: []string{s.URL()}, Username: "root@pam", Password: s.Password(), CACertificate: s.CACertificate()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	w := testWorld()
	w.Storages = map[string]storageFacts{
		"local":     {Type: "dir", Content: []string{"images", "iso", "snippets"}, Free: 1 << 40},
		"local-lvm": {Type: "lvmthin", Content: []string{"images"}, Free: 1 << 41},
	}
	vmid := int64(200)
	for _, name := range slices.Sorted(maps.Keys(askFor)) {
		switch { // there is no such device, volume, file or storage in the cluster
		case strings.HasPrefix(name, "HostDevices."), name == "Disks.Volume", name == "CDROM.ISO", name == "Disks.Provisioning", name == "Proxmox.Snippets", name == "Proxmox.VMID":
			continue
		}
		vmid += 2
		spec := plain()
		askFor[name](spec)
		if strings.HasSuffix(name, ".Storage") {
			spec.Placement.Storage = new("local-lvm")
			delete(spec.Disks, "data")
		}
		if n := spec.Networks["lan"]; *n.Network != "vmbr0" {
			n.Network = new("vmbr1")
			spec.Networks["lan"] = n
		}
		t.Run(name, func(t *testing.T) {
			r := newRequest(spec)
			r.World, r.VMID = w, vmid
			p := must(t, r)
			if p.Seed != nil {
				return // nothing was uploaded
			}
			form := map[string]any{"vmid": vmid}
			for key, text := range p.Set {
				form[key] = text
			}
			if _, err := c.Task(ctx, "create", name, "POST", "/nodes/pve1/qemu", form); err != nil {
				t.Fatalf("create with %v: %v", p.Set, err)
			}
			at := fmt.Sprintf("/nodes/pve1/qemu/%d", vmid)
			o, h := pending(ctx, t, c, vmid, at, w)
			for _, d := range backends.Diff(&o.Spec, spec) {
				t.Errorf("made: the next plan would %s; it is %v", d, h.Config)
			}
			// A plan of what is there changes nothing.
			r.Have = h
			if p := must(t, r); !p.empty() || p.Set["description"] != "" && p.Set["description"] == h.Config["description"] {
				t.Errorf("another plan would set %v, delete %v, detach %v", p.Set, p.Delete, p.Detach)
			}

			base := newRequest(plain())
			base.World, base.VMID = w, vmid+1
			p = must(t, base)
			form = map[string]any{"vmid": vmid + 1}
			for key, text := range p.Set {
				form[key] = text
			}
			if _, err := c.Task(ctx, "create", name, "POST", "/nodes/pve1/qemu", form); err != nil {
				t.Fatalf("create with %v: %v", p.Set, err)
			}
			at = fmt.Sprintf("/nodes/pve1/qemu/%d", vmid+1)
			_, h = pending(ctx, t, c, vmid+1, at, w)
			r.VMID, r.Have = vmid+1, h
			p = must(t, r)
			if len(p.Detach)+len(p.Move)+len(p.Resize) > 0 || p.Seed != nil {
				return // more than parameters
			}
			form = map[string]any{}
			for key, text := range p.Set {
				form[key] = text
			}
			if len(p.Delete) > 0 {
				form["delete"] = strings.Join(p.Delete, ",")
			}
			if len(form) == 0 {
				return
			}
			if err := c.Put(ctx, at+"/config", form, nil); err != nil {
				t.Fatalf("change with %v: %v", form, err)
			}
			o, h = pending(ctx, t, c, vmid+1, at, w)
			for _, d := range backends.Diff(&o.Spec, spec) {
				t.Errorf("changed: the next plan would %s; it is %v", d, h.Config)
			}
		})
	}
}

// pending reads a VM.
func pending(ctx context.Context, t *testing.T, c *pve.Client, vmid int64, at string, w world) (*observation, *hardware) {
	t.Helper()
	var rows []map[string]any
	if err := c.Get(ctx, at+"/pending", nil, &rows); err != nil {
		t.Fatal(err)
	}
	h := read(t, vmid, vmconf.ParsePending(rows).Configured)
	return h.observe(w, true), h
}
