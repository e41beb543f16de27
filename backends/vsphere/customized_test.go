package vsphere

import (
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A guest that is powered off is not waited for: it will not be customized.
func TestPoweredOffBeforeTheCustomization(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Customization = &backends.Customization{Hostname: "web"}
	id := r.create(spec)
	go func() {
		if err := r.WaitPower(r.ctx, id, backends.Running); err != nil {
			t.Error(err)
		}
		if err := r.sim.PowerOff("web"); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	err := r.SetPower(r.ctx, id, backends.PowerOn)
	wantCode(t, err, backends.Precondition)
	if !strings.Contains(err.Error(), "powered off") || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
