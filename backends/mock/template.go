package mock

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// template is something that whole VMs are made from.
type template struct {
	name    string
	spec    backends.VMSpec
	guest   string
	content int64
}

var templates = []template{
	{
		name: "debian-12-template", guest: osOf("debian-12"), content: 600 * mib,
		spec: backends.VMSpec{
			CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(2048))},
			Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(10))}},
			Networks: map[string]backends.NIC{"lan": {Network: new("lan")}},
		},
	},
	{
		name: "windows-2022-template", guest: osOf("windows-2022"), content: 12 * gib,
		spec: backends.VMSpec{
			CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(4096))},
			GuestOS: new("windows"), Firmware: new("uefi"),
			Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(40))}},
			Networks: map[string]backends.NIC{"lan": {Network: new("lan"), Model: new("e1000e")}},
		},
	},
}

// deploy lets want inherit what it leaves nil from a template of the sample
// inventory or from a stopped VM, by name or id.
func (w *world) deploy(m *machine, name string, want *backends.VMSpec) (*image, error) {
	t, err := w.template(name)
	if err != nil {
		return nil, err
	}
	base := clone(t.spec)
	for key, d := range base.Disks {
		d.Volume = nil // belongs to the other VM
		base.Disks[key] = d
	}
	for key, n := range base.Networks {
		n.MAC, n.IPv4, n.IPv6 = nil, nil, nil
		base.Networks[key] = n
	}
	base.Placement.Host, base.Placement.Cluster, base.CloudInit = nil, nil, nil
	for key, d := range want.Disks {
		from, ok := base.Disks[key]
		if ok && d.SizeGiB != nil && *d.SizeGiB < value(from.SizeGiB) {
			return nil, refusal(backends.Invalid, backends.Path("disks").Key(key).Attr("size_gib"),
				"%d GiB is too small: template %q needs %d GiB", *d.SizeGiB, name, *from.SizeGiB)
		}
		want.Disks[key] = overlay(from, d)
	}
	for key, n := range want.Networks {
		want.Networks[key] = overlay(base.Networks[key], n)
	}
	*want = overlay(base, *want)
	m.Guest = t.guest
	return &image{backends.Image{Allocated: t.content}}, nil
}

func (w *world) template(name string) (template, error) {
	if w.Sampled {
		for _, t := range templates {
			if t.name == name {
				return t, nil
			}
		}
	}
	m := w.Machines[backends.ID(name)]
	if m == nil {
		m = w.named(name)
	}
	if m == nil {
		return template{}, refusal(backends.NotFound, "template", "there is no template or VM %q", name)
	}
	if m.Power != backends.Stopped {
		return template{}, refusal(backends.Precondition, "template", "VM %q is %s; only a stopped VM can serve as a template", m.Spec.Name, m.Power)
	}
	return template{name: name, spec: m.Spec, guest: m.Guest, content: m.Disks["root"].Content}, nil
}

// osOf guesses from an image's name what its guest calls itself.
func osOf(image string) string {
	for part, os := range map[string]string{
		"windows": "Microsoft Windows Server 2022",
		"ubuntu":  "Ubuntu 24.04 LTS",
	} {
		if strings.Contains(image, part) {
			return os
		}
	}
	return "Debian GNU/Linux 12 (bookworm)"
}
