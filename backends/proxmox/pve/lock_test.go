package pve

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestWhileLocked(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	locked := no(500, "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout")
	put := func(ctx context.Context) error {
		return WhileLocked(ctx, func() error { return c.Put(ctx, "/nodes/pve1/qemu/100/config", map[string]any{"name": "x"}, nil) })
	}
	const at = "PUT /nodes/pve1/qemu/100/config"
	f.on(at, locked, no(500, "VM is locked (backup)"), ok(nil))
	if err := put(t.Context()); err != nil || f.count(at) != 3 {
		t.Error(err, f.count(at))
	}
	f.on(at, no(500, "VM is locked (suspended)"))
	wants(t, put(t.Context()), backends.Precondition)
	if f.count(at) != 4 {
		t.Errorf("%d tries", f.count(at))
	}
	f.on(at, no(500, "VM is locked (backup)"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := WhileLocked(ctx, func() error { // the time is over while nothing is asked
		return c.Put(context.WithoutCancel(ctx), "/nodes/pve1/qemu/100/config", map[string]any{"name": "x"}, nil)
	})
	wants(t, err, backends.Timeout, "stayed locked", "VM is locked (backup)", "qm unlock")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wants(t, WhileLocked(ctx, func() error {
		err := c.Put(ctx, "/nodes/pve1/qemu/100/config", map[string]any{"name": "x"}, nil)
		stop() // once the answer is here
		return err
	}), backends.Canceled, "VM is locked (backup)")
}
