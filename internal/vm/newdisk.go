package vm

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// checkNewDisks refuses disks that are to be made and have no size: nothing
// gives them one. Only the disk that receives an image, and one that the VM's
// ancestor has, has a size by itself, and a disk that exists keeps its own. An
// ancestor's disk cannot be made smaller either.
func checkNewDisks(diags *diag.Diagnostics, changes []backends.Change, to *backends.VMSpec, config tftypes.Value, from ancestor) {
	for _, c := range changes {
		disk, ok := c.To.(backends.Disk)
		if !ok || c.Action != backends.Add || disk.Volume != nil {
			continue
		}
		if disk.SizeGiB != nil {
			checkShrunk(diags, c.Key, *disk.SizeGiB, from)
			continue
		}
		if c.Key == "root" && (to.Image != "" || !attribute(config, "image").IsKnown()) || from.has(c.Key) {
			continue
		}
		asked := func(name string) tftypes.Value { return attribute(config, "disks", c.Key, name) }
		if !asked("size_gib").IsKnown() || !asked("volume").IsKnown() {
			continue // known later
		}
		diags.AddAttributeError(path.Root("disks").AtMapKey(c.Key).AtName("size_gib"), "A new disk needs a size",
			fmt.Sprintf("disks[%q] is to be made blank and has no size_gib. %s(Terraform drops unknown keys of an object: look for a misspelt one.)", c.Key, from.disks()))
	}
}

// checkShrunk refuses a size below that of the ancestor's disk.
func checkShrunk(diags *diag.Diagnostics, key string, gib int64, from ancestor) {
	has := from.bytes(key)
	if gib<<30 >= has {
		return
	}
	diags.AddAttributeError(path.Root("disks").AtMapKey(key).AtName("size_gib"), "Smaller than the disk that it is made from",
		fmt.Sprintf("disks[%q] is to have %d GiB, and that of VM %q has %d GiB: what lies beyond would be cut off. Ask for at least as much, or leave size_gib out.",
			key, gib, from.vm.Config.Name, (has+1<<30-1)>>30))
}

// disks names what can be made from the ancestor.
func (a ancestor) disks() string {
	if a.vm == nil {
		return ""
	}
	return fmt.Sprintf("VM %q, which it would be made from, has the disks %v. ", a.vm.Config.Name, slices.Sorted(maps.Keys(a.vm.Config.Disks)))
}

// exchanges returns the keys of disks that a configuration may make other disks
// of: it asks for another volume, or for a size where there was a volume. What is
// not known yet may do so.
func exchanges(config, prior tftypes.Value) map[string]bool {
	keys := map[string]bool{}
	var disks map[string]tftypes.Value
	if all := attribute(prior, "disks"); !all.IsKnown() || all.IsNull() || all.As(&disks) != nil {
		return nil
	}
	for key := range disks {
		if attribute(config, "disks", key).IsNull() {
			continue
		}
		had, volume := attribute(prior, "disks", key, "volume"), attribute(config, "disks", key, "volume")
		if !volume.IsNull() {
			keys[key] = !volume.IsKnown() || had.IsNull() || !volume.Equal(had)
			continue
		}
		keys[key] = !had.IsNull() && !attribute(config, "disks", key, "size_gib").IsNull()
	}
	return keys
}

// released is what a plan shows of the volume of a disk that has none configured
// and is to have a size.
func released(config tftypes.Value, key string) tfx.Unset {
	if attribute(config, "disks", key, "size_gib").IsKnown() {
		return tfx.Clear
	}
	return tfx.Renew
}

// ofTheDisk reports whether p is an attribute that another disk in the same slot
// has of its own.
func ofTheDisk(p backends.Path) bool {
	switch p.Generic() {
	case "disks.size_gib", "disks.storage", "disks.provisioning", "disks.format", "disks.policy":
		return true
	}
	return false
}
