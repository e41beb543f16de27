package backendtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var proxmoxCases = []Case{
	{
		Name:   "proxmox/options",
		Proves: []backends.Feature{backends.FeatureProxmoxOptions},
		Run:    proxmoxOptions,
	},
	{
		Name:   "proxmox/maps",
		Proves: []backends.Feature{backends.FeatureProxmoxOptions},
		Run:    proxmoxMaps,
	},
	{
		Name:   "proxmox/vm_id",
		Proves: []backends.Feature{backends.FeatureProxmoxOptions},
		Run:    vmID,
	},
}

// withProxmox is spec with options of Proxmox VE's own.
func withProxmox(spec *backends.VMSpec, o backends.ProxmoxOptions) *backends.VMSpec {
	c := *spec
	c.Proxmox = &o
	return &c
}

func proxmoxOptions(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Bus: new("scsi")})
	first := withProxmox(spec, backends.ProxmoxOptions{
		BootOrder: []string{"data", "root"}, Machine: new("q35"), SCSIController: new("virtio-scsi-pci"), Autostart: new(true),
	})
	id := e.Create(t, first)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, first)
	e.ApplyAsPlanned(t, id, withProxmox(spec, backends.ProxmoxOptions{BootOrder: []string{"root", "data"}, Autostart: new(false)}))
	second := withProxmox(spec, backends.ProxmoxOptions{Machine: new("pc"), SCSIController: new("virtio-scsi-single")})
	e.ApplyAsPlanned(t, id, second)
	if o := e.Read(t, id, all).Config.Proxmox; o == nil || !slices.Equal(o.BootOrder, []string{"root", "data"}) || o.Autostart == nil || *o.Autostart {
		t.Errorf("what nobody changed reads back as %+v", o)
	}
	err := e.refuseCreate(t, withProxmox(e.Spec(), backends.ProxmoxOptions{BootOrder: []string{"nowhere"}}), backends.Invalid)
	wantPath(t, err, "proxmox.boot_order")
	wantNamed(t, err, "nowhere")
}

// proxmoxMaps: options by the hypervisor's own names come, change and go, and no others are shown.
func proxmoxMaps(t *testing.T, e *Env) {
	base := e.With(func(s *backends.VMSpec) {
		s.Networks = map[string]backends.NIC{"lan": {Network: new(e.Seed.Network)}}
	})
	for name, test := range map[string]struct {
		set   func(*backends.VMSpec, map[string]string)
		get   func(*backends.VMSpec) map[string]string
		steps []map[string]string
	}{
		"vm": {
			func(s *backends.VMSpec, m map[string]string) {
				*s = *withProxmox(s, backends.ProxmoxOptions{Options: m})
			},
			func(s *backends.VMSpec) map[string]string { return s.Proxmox.Options },
			[]map[string]string{
				{"tablet": "0", "kvm": "0", "startup": "order=3,up=20"}, {"tablet": "1", "kvm": "0", "numa": "1"}, {"localtime": "1"}, {}, {"protection": "1"}, {},
			},
		},
		"disk": {
			func(s *backends.VMSpec, m map[string]string) {
				d := s.Disks["root"]
				d.Options = m
				s.Disks = map[string]backends.Disk{"root": d}
			},
			func(s *backends.VMSpec) map[string]string { return s.Disks["root"].Options },
			[]map[string]string{{"backup": "0", "serial": "ROOT1"}, {"backup": "1", "serial": "ROOT1"}, {"replicate": "0"}, {}},
		},
		"interface": {
			func(s *backends.VMSpec, m map[string]string) {
				n := s.Networks["lan"]
				n.Options = m
				s.Networks = map[string]backends.NIC{"lan": n}
			},
			func(s *backends.VMSpec) map[string]string { return s.Networks["lan"].Options },
			[]map[string]string{{"firewall": "1", "queues": "2"}, {"firewall": "0", "queues": "2"}, {"firewall": "1"}, {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(m map[string]string) *backends.VMSpec {
				c := *base
				if c.Name == base.Name {
					c.Name = base.Name + "-" + name
				}
				test.set(&c, m)
				return &c
			}
			id := e.Create(t, with(test.steps[0]))
			e.Power(t, id, backends.PowerOn)
			e.Matches(t, id, with(test.steps[0]))
			for _, m := range test.steps[1:] {
				e.ApplyAsPlanned(t, id, with(m))
				if have := test.get(&e.Read(t, id, all).Config); !maps.Equal(have, m) {
					t.Errorf("the options read back as %v, want %v", have, m)
				}
			}
		})
	}
}

// vmID: a number that is asked for is the VM's, and a taken one is a Conflict.
func vmID(t *testing.T, e *Env) {
	spec := withProxmox(e.Spec(), backends.ProxmoxOptions{VMID: new(int64(4711))})
	if id := e.Create(t, spec); id != "4711" {
		t.Errorf("the VM has the id %s", id)
	}
	other := withProxmox(e.Spec(), backends.ProxmoxOptions{VMID: new(int64(4711))})
	err := e.refuseCreate(t, other, backends.Conflict)
	wantPath(t, err, "proxmox.vm_id")
	wantNamed(t, err, "4711")
}
