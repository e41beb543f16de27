package libvirt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// admitKept refuses to take a disk out of the VM whose volume outlives that but lies in layers that linked clones need:
// the layers go with the VM, which could not be deleted any more.
func (e *edit) admitKept(ctx context.Context, changes []backends.Change) error {
	if e.d.mark == nil {
		return nil
	}
	for _, c := range changes {
		if c.Action != backends.Remove || c.Path.Generic() != "disks" {
			continue
		}
		entry := e.d.mark.disk(c.Key)
		if entry == nil || entry.Owned && !entry.Keep || !e.d.mark.hasLayers(c.Key) {
			continue
		}
		own, layers := map[storage.Ref]bool{entry.ref(): true}, []string{}
		for _, l := range e.d.mark.Layers {
			if l.Key == c.Key {
				own[l.ref()] = true
				layers = append(layers, l.ref().String())
			}
		}
		vms, loose, err := e.sharers(ctx, e.dom.UUID, own)
		if err != nil {
			return err
		}
		why := fmt.Sprintf("shares the content of the volumes %s", strings.Join(layers, ", "))
		if who := slices.Concat(vms, loose); len(who) > 0 {
			why += ", which " + strings.Join(who, ", ") + " need as well"
		}
		return backends.Errorf(backends.Precondition, "", "", "disk %q is to outlive its removal, but %s", c.Key, why).At(c.Path).
			Advise("Delete the linked clones first, then the disk is made whole. Where it is not needed any more, set keep_on_destroy = false before it is removed.")
	}
	return nil
}
