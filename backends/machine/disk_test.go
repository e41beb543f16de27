package machine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
)

// held is a disk that a VM has until a time.
type held struct {
	backends.Unimplemented
	until time.Time
	gone  bool
}

func (h *held) DeleteDisk(context.Context, string) error {
	switch {
	case h.gone:
		return backends.Errorf(backends.NotFound, "", "", "no such disk")
	case time.Now().Before(h.until):
		return backends.Errorf(backends.Precondition, "", "", `it is attached to VM "web"`)
	}
	h.gone = true
	return nil
}

func TestDeleteDisk(t *testing.T) {
	const object = "default/data"
	t.Run("the VM lets go", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := &held{until: time.Now().Add(time.Minute)}
			if err := machine.DeleteDisk(t.Context(), h, object); err != nil || !h.gone {
				t.Errorf("gone %v, error %v", h.gone, err)
			}
		})
	})
	t.Run("the VM keeps it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, began := &held{until: time.Now().Add(time.Hour)}, time.Now()
			err := machine.DeleteDisk(t.Context(), h, object)
			if backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), `attached to VM "web"`) {
				t.Errorf("error %v", err)
			}
			if waited := time.Since(began); waited < 80*time.Second || waited > 90*time.Second {
				t.Errorf("waited %s", waited)
			}
		})
	})
	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			h := &held{until: time.Now().Add(time.Hour)}
			err := machine.DeleteDisk(ctx, h, object)
			if backends.CodeOf(err) != backends.Timeout || !strings.Contains(err.Error(), `attached to VM "web"`) {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("gone already", func(t *testing.T) {
		if err := machine.DeleteDisk(t.Context(), &held{gone: true}, object); err != nil {
			t.Error(err)
		}
	})
	t.Run("not supported", func(t *testing.T) {
		err := machine.DeleteDisk(t.Context(), backends.Unimplemented{Kind: backends.Mock}, object)
		if backends.CodeOf(err) != backends.Unsupported {
			t.Errorf("error %v", err)
		}
	})
}
