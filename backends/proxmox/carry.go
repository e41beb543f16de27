package proxmox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// newMAC is an address of the prefix that Proxmox VE uses itself (BC:24:11, registered by its makers).
func newMAC() string {
	var tail [3]byte
	_, _ = rand.Read(tail[:]) // never fails
	return fmt.Sprintf("bc:24:11:%02x:%02x:%02x", tail[0], tail[1], tail[2])
}

// config is the path of a VM's configuration.
func config(node string, vmid int64) string { return pve.Path("nodes", node, "qemu", vmid, "config") }

// put changes a configuration at once.
func (b *Backend) put(ctx context.Context, node string, vmid int64, form map[string]any) error {
	return b.conn.Put(ctx, config(node, vmid), form, nil)
}

// insist repeats a write that does no harm when it comes twice, in the middle of a change that has begun: while something holds the VM, and a few
// times where the answer is lost. The first write of a change is not insisted on: whoever asked for the change may begin again.
func insist(ctx context.Context, write func() error) error {
	for try := 1; ; try++ {
		err := pve.WhileLocked(ctx, write)
		if backends.CodeOf(err) != backends.Transient || try == insistence || ctx.Err() != nil {
			return err
		}
	}
}

// insistence is how often the connection may break.
const insistence = 3

// discardSeed removes a seed that was uploaded for a drive and did not come into it, as far as that can be seen.
func (b *Backend) discardSeed(ctx context.Context, node string, vmid int64, seed *seedPlan) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	var c pve.Values
	if err := b.conn.Get(ctx, config(node, vmid), nil, &c); err != nil && backends.CodeOf(err) != backends.NotFound {
		return // it may be in use
	}
	if !strings.Contains(c[seed.Slot], seed.Volume) {
		_ = b.freeVolume(ctx, node, seed.Volume)
	}
}

// resize grows a disk, online where the VM runs.
func (b *Backend) resize(ctx context.Context, node string, vmid int64, r resize) error {
	form := map[string]any{"disk": r.Slot, "size": vmconf.FormatSize(r.Bytes)}
	_, err := b.conn.Task(ctx, "grow a disk", backends.VMObject(string(idOf(vmid))), "PUT", pve.Path("nodes", node, "qemu", vmid, "resize"), form)
	return at(nameless(err), r.Path)
}

// lost reports whether it is not known of a write that ended with err whether it was heard, or what became of it.
func lost(err error) bool {
	if backends.CodeOf(err) != backends.Transient {
		return false
	}
	var f *fault.Failure
	var r *fault.Refusal
	switch {
	case errors.As(err, &f):
		return false
	case errors.As(err, &r): // a look at the task may have failed, the write had been heard then
		return r.Method == http.MethodGet || r.Status != http.StatusInternalServerError && r.Status != fault.NoConnection
	}
	return true
}

// nameless is an error of a part of a change, which whoever makes the change knows the name of.
func nameless(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Op, c.Object = "", ""
	return &c
}

// at blames an attribute, where err blames none.
func at(err error, path backends.Path) error {
	if err == nil || path == "" {
		return err
	}
	e, ok := err.(*backends.Error) //nolint:errorlint // the outermost one is what has the path
	if !ok || e.Path != "" {
		return err
	}
	c := *e
	return c.At(path)
}
