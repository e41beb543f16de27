package vm

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// checkLinked refuses sizes that disks of a new linked VM cannot have, on a hypervisor on which they have the size of
// what they share. What is shared may not be known yet; then the apply says so.
func (r *Resource) checkLinked(ctx context.Context, diags *diag.Diagnostics, cat backends.Catalogue, changes []backends.Change, to *backends.VMSpec, from ancestor) {
	if !cat.LinkedKeepSize || !to.Linked {
		return
	}
	for _, c := range changes {
		disk, ok := c.To.(backends.Disk)
		if !ok || c.Action != backends.Add || disk.Volume != nil || disk.SizeGiB == nil {
			continue
		}
		bytes, what := from.shared(c.Key)
		if to.Image != "" && c.Key == "root" {
			image, _ := r.data.Inventory().Image(ctx, to.Image)
			if image == nil {
				continue
			}
			bytes, what = image.SizeBytes, fmt.Sprintf("image %q", to.Image)
		}
		if bytes == 0 || *disk.SizeGiB<<30 <= bytes {
			continue
		}
		diags.AddAttributeError(tfx.Path(c.Path.Attr("size_gib")), "Larger than the disk that it shares",
			fmt.Sprintf("disks[%q] is to have %d GiB and to share the content of %s, which has %s: on %s what shares content keeps its size. "+
				"Leave size_gib out, or leave linked out for a full copy, which can be larger.", c.Key, *disk.SizeGiB, what, size(bytes), cat.Backend))
	}
}

// shared is the size of the ancestor's disk of a key, which linked disks share, 0 where it is not known. Of a disk with a
// life of its own they get a copy.
func (a ancestor) shared(key string) (bytes int64, what string) {
	if a.vm == nil || a.vm.Config.Disks[key].Volume != nil {
		return 0, ""
	}
	return a.bytes(key), fmt.Sprintf("VM %q", a.vm.Config.Name)
}

// checkGrowth refuses to grow disks that share content, where the hypervisor does not. It costs a read of the VM where a disk
// is to grow, and else nothing.
func (r *Resource) checkGrowth(ctx context.Context, diags *diag.Diagnostics, cat backends.Catalogue, id backends.ID, changes []backends.Change) {
	if !cat.LinkedKeepSize {
		return
	}
	for _, c := range changes {
		if c.Action != backends.Grow || c.Path.Generic() != "disks.size_gib" {
			continue
		}
		vm, _ := r.data.Inventory().VM(ctx, string(id))
		if vm == nil {
			return
		}
		d := vm.Disks[c.Key]
		if d.Backing == "" {
			continue
		}
		diags.AddAttributeError(tfx.Path(c.Path), "A disk that shares content keeps its size",
			fmt.Sprintf("disks[%q] of VM %q has %s and shares the content of %s copy-on-write, which %s does not grow. "+
				"Add another disk, or make the VM anew without linked.", c.Key, vm.Config.Name, size(d.SizeBytes), d.Backing, cat.Backend))
	}
}

// size is a disk's in GiB where it has whole ones.
func size(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
