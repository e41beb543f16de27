package vm

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// checkFamily refuses what customizes one family of guests where the new VM's guest is known to be of another. A VM made
// from another has its guest.
func checkFamily(diags *diag.Diagnostics, kind backends.Kind, spec *backends.VMSpec, from ancestor) {
	guest := deref(spec.GuestOS)
	if guest == "" && from.vm != nil {
		guest = deref(from.vm.Config.GuestOS)
	}
	if kind != backends.VSphere || guest == "" || spec.Customization == nil {
		return
	}
	windows, sysprep := strings.HasPrefix(guest, "win"), spec.Customization.Windows != nil
	switch {
	case windows && !sysprep && spec.CloudInit == nil:
		diags.AddAttributeError(path.Root("customization"), "Another family of guests",
			fmt.Sprintf("VM %q has the guest operating system %s, which sysprep customizes. Set customization.windows, {} for its defaults.", spec.Name, guest))
	case !windows && sysprep:
		diags.AddAttributeError(path.Root("customization").AtName("windows"), "Another family of guests",
			fmt.Sprintf("VM %q has the guest operating system %s, and sysprep exists on Windows only. Remove customization.windows, or set guest_os to what the guest is.", spec.Name, guest))
	}
}
