package vm

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// ValidateConfig implements resource.ResourceWithValidateConfig: mistakes that
// need no hypervisor to be seen. Attributes with anything unknown in them are
// left for later.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	raw, err := tfx.OnlyKnown(req.Config.Raw)
	c := r.coder(&resp.Diagnostics)
	if err != nil {
		c.fault(err)
		return
	}
	m := c.decode(ctx, raw)
	if m == nil || resp.Diagnostics.HasError() {
		return
	}
	v := validation{diags: &resp.Diagnostics, m: m}
	r.origin.validate(v, req.Config.Raw)
	v.sizes()
	v.console()
	v.wait(attribute(req.Config.Raw, "networks").IsFullyKnown())
	v.bootOrder()
	v.volumes()
	for _, p := range cloudinit.Validate(wellFormed(m.Spec())) {
		if p.Warning {
			resp.Diagnostics.AddAttributeWarning(tfx.Path(p.Path), "The guest may not do what this says", p.Text)
			continue
		}
		resp.Diagnostics.AddAttributeError(tfx.Path(p.Path), "Invalid guest configuration", p.Text)
	}
}

// wellFormed leaves out what the schema refuses by itself, so that one mistake
// is told once.
func wellFormed(spec *backends.VMSpec) *backends.VMSpec {
	for key, n := range spec.Networks {
		if n.MAC != nil {
			if hw, err := net.ParseMAC(*n.MAC); err != nil || len(hw) != 6 {
				n.MAC = nil
			}
		}
		n.IPv4, n.IPv6 = parsable(n.IPv4), parsable(n.IPv6)
		spec.Networks[key] = n
	}
	return spec
}

func parsable(c *backends.IPConfig) *backends.IPConfig {
	if c == nil {
		return nil
	}
	prefixes, hops := append([]string{c.Address}, c.Extra...), []string{}
	if c.Gateway != "" {
		hops = append(hops, c.Gateway)
	}
	for _, r := range c.Routes {
		prefixes, hops = append(prefixes, r.To), append(hops, r.Via)
	}
	bad := slices.ContainsFunc(prefixes, func(s string) bool { _, err := netip.ParsePrefix(s); return err != nil }) ||
		slices.ContainsFunc(hops, func(s string) bool { _, err := netip.ParseAddr(s); return err != nil })
	if bad {
		return nil
	}
	return c
}

// volumes refuses one disk in two places: the guest would have two disks with one content, and ruin it.
func (v validation) volumes() {
	first := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(v.m.Disks)) {
		d := v.m.Disks[key]
		if d == nil || d.Volume == nil {
			continue
		}
		if other, twice := first[*d.Volume]; twice {
			v.errorf(path.Root("disks").AtMapKey(key).AtName("volume"), "One disk in two places", "The disk %s is attached as %q already.", *d.Volume, other)
			continue
		}
		first[*d.Volume] = key
	}
}

const (
	leastVNCPort    = 5900 // of VNC's display 0
	mostVNCPassword = 8    // bytes that VNC's authentication looks at
)

type validation struct {
	diags *diag.Diagnostics
	m     *vmschema.VM
}

func (v validation) errorf(p path.Path, summary, format string, args ...any) {
	v.diags.AddAttributeError(p, summary, fmt.Sprintf(format, args...))
}

// image checks what receives the image that the VM is made from.
func (v validation) image(disksKnown bool) {
	if v.m.Image == nil {
		return
	}
	if v.m.Template != nil {
		v.errorf(path.Root("template"), "More than one source", "image and template are both set; a VM is made from one of them.")
	}
	root, ok := v.m.Disks["root"]
	switch {
	case !disksKnown:
	case !ok:
		v.errorf(path.Root("disks"), "No disk for the image", `image is copied to the disk "root", which disks does not have. Add root = {}, or root = { size_gib = 20 } for another size than the image's.`)
	case root != nil && root.Volume != nil:
		v.errorf(path.Root("disks").AtMapKey("root").AtName("volume"), "No disk for the image", "image is copied to a new disk, and root is an existing one. Leave out image or volume.")
	}
}

// sizes checks numbers against each other.
func (v validation) sizes() {
	atLeast := func(p path.Path, name string, value *int64, other string, floor *int64) {
		if value != nil && floor != nil && *value < *floor && (*value > 0 || !strings.HasPrefix(name, "limit_")) { // a limit of 0 is none
			v.errorf(p.AtName(name), "Too small", "%s is %d, which is less than %s (%d).", p.AtName(name), *value, p.AtName(other), *floor)
		}
	}
	if cpu := v.m.CPU; cpu != nil {
		p := path.Root("cpu")
		atLeast(p, "max_cores", cpu.MaxCores, "cores", cpu.Cores)
		atLeast(p, "limit_mhz", cpu.LimitMHz, "reservation_mhz", cpu.ReservationMHz)
	}
	if memory := v.m.Memory; memory != nil {
		p := path.Root("memory")
		atLeast(p, "max_mib", memory.MaxMiB, "size_mib", memory.SizeMiB)
		atLeast(p, "limit_mib", memory.LimitMiB, "reservation_mib", memory.ReservationMiB)
		atLeast(p, "size_mib", memory.SizeMiB, "reservation_mib", memory.ReservationMiB)
	}
}

// console checks what a type of console cannot have. Of an unset type nothing is known here.
func (v validation) console() {
	c := v.m.Console
	if c == nil {
		return
	}
	p := path.Root("console")
	switch kind := deref(c.Type); kind {
	case "vnc":
		if port := deref(c.Port); port > 0 && port < leastVNCPort {
			v.errorf(p.AtName("port"), "No port for VNC", "%s is %d; VNC has the ports from %d on, or 0 for any.", p.AtName("port"), port, leastVNCPort)
		}
		if len(deref(c.PasswordWO)) > mostVNCPassword {
			v.errorf(p.AtName("password_wo"), "Too long for VNC", "VNC looks at %d characters of a password, and this one is longer.", mostVNCPassword)
		}
	case "serial", "none":
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"address", c.Address != nil},
			{"port", deref(c.Port) != 0},
			{"tls", deref(c.TLS)},
			{"password_wo", c.PasswordWO != nil},
		} {
			if f.set {
				v.errorf(p.AtName(f.name), "No screen to reach", "A console of type %q has no %s. Leave it out, or choose another type.", kind, f.name)
			}
		}
	}
}

// firmware checks what secure boot needs; known is false where the firmware, if
// it is not configured, comes from elsewhere.
func (v validation) firmware(known bool) {
	if !deref(v.m.SecureBoot) || !known || deref(v.m.Firmware) == "uefi" {
		return
	}
	v.errorf(path.Root("secure_boot"), "Secure boot needs UEFI", `secure_boot = true needs firmware = "uefi".`)
}

// bootOrder checks names against the keys that are configured, where both kinds are.
func (v validation) bootOrder() {
	if v.m.Disks == nil || v.m.Networks == nil {
		return
	}
	if v.m.VSphere != nil {
		v.bootsFrom(path.Root("vsphere").AtName("boot_order"), v.m.VSphere.BootOrder)
	}
	if v.m.Proxmox != nil {
		v.bootsFrom(path.Root("proxmox").AtName("boot_order"), v.m.Proxmox.BootOrder)
	}
}

func (v validation) bootsFrom(at path.Path, order []string) {
	for i, name := range order {
		_, disk := v.m.Disks[name]
		_, network := v.m.Networks[name]
		if !disk && !network && name != "cdrom" {
			v.errorf(at.AtListIndex(i), "Nothing to boot from", `%q is no key of disks or networks, and not "cdrom".`, name)
		}
	}
}

func (v validation) wait(networksKnown bool) {
	if v.m.WaitFor == nil || v.m.WaitFor.Network == nil || !networksKnown || v.m.Networks == nil {
		return
	}
	if _, ok := v.m.Networks[*v.m.WaitFor.Network]; !ok {
		v.errorf(path.Root("wait_for").AtName("network"), "No such interface", "networks has no %q; it has %v.",
			*v.m.WaitFor.Network, slices.Sorted(maps.Keys(v.m.Networks)))
	}
}
