package vm

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// checkNewDisks refuses disks that are to be made and have no size: nothing
// gives them one. Only the disk that receives an image has a size by itself,
// and a disk that exists keeps its own.
func checkNewDisks(diags *diag.Diagnostics, changes []backends.Change, to *backends.VMSpec, config tftypes.Value) {
	for _, c := range changes {
		disk, ok := c.To.(backends.Disk)
		if !ok || c.Action != backends.Add || disk.SizeGiB != nil || disk.Volume != nil {
			continue
		}
		if c.Key == "root" && to.Image != "" || to.Template != "" {
			continue
		}
		asked := func(name string) tftypes.Value { return attribute(config, "disks", c.Key, name) }
		if !asked("size_gib").IsKnown() || !asked("volume").IsKnown() || !attribute(config, "image").IsKnown() || !attribute(config, "template").IsKnown() {
			continue // known later
		}
		diags.AddAttributeError(path.Root("disks").AtMapKey(c.Key).AtName("size_gib"), "A new disk needs a size",
			fmt.Sprintf("disks[%q] is to be made blank and has no size_gib. (Terraform drops unknown keys of an object: look for a misspelt one.)", c.Key))
	}
}
