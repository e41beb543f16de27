package backends_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest/randspec"
)

var inventory = randspec.Inventory{
	Networks: []string{"lan", "bridge:br0"}, Storages: []string{"one", "two"}, Hosts: []string{"h1", "h2"},
	ResourcePools: []string{"p1", "p2"}, Folders: []string{"f1", "f2"}, ISOs: []string{"rescue"},
}

func TestDiff(t *testing.T) {
	one, two := new(int64(1)), new(int64(2))
	disks := func(m map[string]backends.Disk) *backends.VMSpec { return &backends.VMSpec{Disks: m} }
	nics := func(m map[string]backends.NIC) *backends.VMSpec { return &backends.VMSpec{Networks: m} }
	address := &backends.IPConfig{Address: "192.0.2.5/24", Gateway: "192.0.2.1"}
	for name, tt := range map[string]struct {
		from, to *backends.VMSpec
		want     []string // Change.String, and the feature in brackets
	}{
		"nothing asked": {
			&backends.VMSpec{Name: "a", CPU: backends.CPU{Cores: one}, Tags: []string{"x"}}, &backends.VMSpec{}, nil,
		},
		"cores": {
			&backends.VMSpec{CPU: backends.CPU{Cores: one}}, &backends.VMSpec{CPU: backends.CPU{Cores: two}},
			[]string{"grow cpu.cores from 1 to 2 [cpu]"},
		},
		"less memory": {
			&backends.VMSpec{Memory: backends.Memory{SizeMiB: new(int64(512))}}, &backends.VMSpec{Memory: backends.Memory{SizeMiB: new(int64(256))}},
			[]string{"shrink memory.size_mib from 512 to 256 [memory]"},
		},
		"a name": {
			&backends.VMSpec{Name: "a"}, &backends.VMSpec{Name: "b"}, []string{"set name from a to b [vm_reconfiguration]"},
		},
		"tags are a set": {
			&backends.VMSpec{Tags: []string{"b", "a"}}, &backends.VMSpec{Tags: []string{"a", "b", "b"}}, nil,
		},
		"no tags are a value": {
			&backends.VMSpec{Tags: []string{"a"}}, &backends.VMSpec{Tags: []string{}}, []string{"set tags from [a] to [] []"},
		},
		"false asks for no feature": {
			&backends.VMSpec{TPM: new(true)}, &backends.VMSpec{TPM: new(false), SecureBoot: new(false)},
			[]string{"set tpm from true to false []"},
		},
		"a disk grows": {
			disks(map[string]backends.Disk{"data": {SizeGiB: one}}), disks(map[string]backends.Disk{"data": {SizeGiB: two}}),
			[]string{`grow disks["data"].size_gib from 1 to 2 [disk_resize]`},
		},
		"a disk comes with what it needs": {
			disks(map[string]backends.Disk{"root": {}}),
			disks(map[string]backends.Disk{"root": {}, "z": {SizeGiB: one, Policy: new("gold")}}),
			[]string{`add disks["z"] [multiple_disks]`, `add disks["z"].policy [storage_policies]`},
		},
		"one disk goes, one comes": {
			disks(map[string]backends.Disk{"a": {}}), disks(map[string]backends.Disk{"b": {}}),
			[]string{`remove disks["a"] []`, `add disks["b"] [disk_create]`},
		},
		"another volume in the same slot": {
			disks(map[string]backends.Disk{"a": {Volume: new("v1")}}), disks(map[string]backends.Disk{"a": {Volume: new("v2")}}),
			[]string{`remove disks["a"] []`, `add disks["a"] [disk_volume]`},
		},
		"a disk of its own in place of a volume": {
			disks(map[string]backends.Disk{"a": {Volume: new("v1")}}), disks(map[string]backends.Disk{"a": {SizeGiB: one}}),
			[]string{`remove disks["a"] []`, `add disks["a"] [disk_create]`},
		},
		"a volume left alone": {
			disks(map[string]backends.Disk{"a": {Volume: new("v1")}}), disks(map[string]backends.Disk{"a": {}}), nil,
		},
		"options of vSphere": {
			&backends.VMSpec{VSphere: &backends.VSphereOptions{ExtraConfig: map[string]string{"a": "1", "b": "2"}, BootOrder: []string{"a", "b"}, HardwareVersion: new(int64(19))}},
			&backends.VMSpec{VSphere: &backends.VSphereOptions{ExtraConfig: map[string]string{"a": "secret"}, BootOrder: []string{"b", "a"}, HardwareVersion: new(int64(20))}},
			[]string{
				"grow vsphere.hardware_version from 19 to 20 [vsphere_options]", "set vsphere.extra_config from [a b] to [a] [vsphere_options]",
				"set vsphere.boot_order from [a b] to [b a] [vsphere_options]",
			},
		},
		"options of vSphere left alone": {
			&backends.VMSpec{VSphere: &backends.VSphereOptions{ExtraConfig: map[string]string{"a": "1"}, CustomAttributes: map[string]string{}}},
			&backends.VMSpec{VSphere: &backends.VSphereOptions{CustomAttributes: map[string]string{}}}, nil,
		},
		"no extra config where there was one": {
			&backends.VMSpec{VSphere: &backends.VSphereOptions{ExtraConfig: map[string]string{"a": "1"}}},
			&backends.VMSpec{VSphere: &backends.VSphereOptions{ExtraConfig: map[string]string{}}},
			[]string{"set vsphere.extra_config from [a] to [] [vsphere_options]"},
		},
		"options of Proxmox VE": {
			&backends.VMSpec{Proxmox: &backends.ProxmoxOptions{Machine: new("pc"), VMID: new(int64(100)), Options: map[string]string{"tablet": "0"}}},
			&backends.VMSpec{Proxmox: &backends.ProxmoxOptions{Machine: new("q35"), Snippets: map[string]string{}, Options: map[string]string{"tablet": "1", "kvm": "0"}}},
			[]string{"set proxmox.machine from pc to q35 [proxmox_options]", "set proxmox.options from [tablet] to [kvm tablet] [proxmox_options]"},
		},
		"options of disks and interfaces": {
			&backends.VMSpec{Disks: map[string]backends.Disk{"a": {Options: map[string]string{"backup": "0"}}}, Networks: map[string]backends.NIC{"lan": {}}},
			&backends.VMSpec{
				Disks:    map[string]backends.Disk{"a": {Options: map[string]string{}}},
				Networks: map[string]backends.NIC{"lan": {Options: map[string]string{"firewall": "1"}}},
			},
			[]string{`set disks["a"].options from [backup] to [] [proxmox_options]`, `set networks["lan"].options from [] to [firewall] [proxmox_options]`},
		},
		"a device says of what kind it is": {
			&backends.VMSpec{HostDevices: map[string]backends.HostDevice{}},
			&backends.VMSpec{HostDevices: map[string]backends.HostDevice{"gpu": {VGPU: "grid"}}},
			[]string{`add host_devices["gpu"] [host_devices]`, `add host_devices["gpu"].vgpu [host_devices]`},
		},
		"a slot and sharing": {
			disks(map[string]backends.Disk{"data": {Slot: new("0:1")}}), disks(map[string]backends.Disk{"data": {Slot: new("1:0"), Shared: new(true)}}),
			[]string{`set disks["data"].slot from 0:1 to 1:0 [disk_slot]`, `set disks["data"].shared to true [disk_sharing]`},
		},
		"sysprep's secrets are known by their version": {
			&backends.VMSpec{Customization: &backends.Customization{Windows: &backends.WindowsCustomization{PasswordVersion: one, RunOnce: []string{}}}},
			&backends.VMSpec{Customization: &backends.Customization{Windows: &backends.WindowsCustomization{PasswordVersion: one, AdminPassword: "x", DomainPassword: "y", ProductKey: "z"}}}, nil,
		},
		"another version of sysprep's secrets": {
			&backends.VMSpec{Customization: &backends.Customization{Windows: &backends.WindowsCustomization{PasswordVersion: one}}},
			&backends.VMSpec{Customization: &backends.Customization{Windows: &backends.WindowsCustomization{PasswordVersion: two, AdminPassword: "x"}}},
			[]string{"set customization [guest_customization]", "set customization.windows to true [guest_customization]"},
		},
		"no VLAN where there was one": {
			nics(map[string]backends.NIC{"lan": {VLAN: two}}), nics(map[string]backends.NIC{"lan": {VLAN: new(int64(0))}}),
			[]string{`set networks["lan"].vlan from 2 to 0 []`},
		},
		"no VLAN where there was none": {
			nics(map[string]backends.NIC{"lan": {}}), nics(map[string]backends.NIC{"lan": {VLAN: new(int64(0))}}), nil,
		},
		"a VLAN where there was none": {
			nics(map[string]backends.NIC{"lan": {VLAN: new(int64(0))}}), nics(map[string]backends.NIC{"lan": {VLAN: two}}),
			[]string{`set networks["lan"].vlan from 0 to 2 [vlan]`},
		},
		"no limits where there were none": {
			disks(map[string]backends.Disk{"a": {}}), disks(map[string]backends.Disk{"a": {IOPSLimit: new(int64(0)), ThroughputMiB: new(int64(0))}}), nil,
		},
		"limits come": {
			disks(map[string]backends.Disk{"a": {IOPSLimit: new(int64(0))}}), disks(map[string]backends.Disk{"a": {IOPSLimit: one, ThroughputMiB: two}}),
			[]string{`set disks["a"].iops_limit from 0 to 1 [disk_limits]`, `set disks["a"].throughput_mib to 2 [disk_limits]`},
		},
		"limits go, for which nothing is needed": {
			disks(map[string]backends.Disk{"a": {IOPSLimit: one}}), disks(map[string]backends.Disk{"a": {IOPSLimit: new(int64(0))}}),
			[]string{`set disks["a"].iops_limit from 1 to 0 []`},
		},
		"a new disk without limits needs none": {
			disks(map[string]backends.Disk{}), disks(map[string]backends.Disk{"a": {IOPSLimit: new(int64(0)), SizeGiB: one}}),
			[]string{`add disks["a"] [disk_create]`},
		},
		"a slower interface": {
			nics(map[string]backends.NIC{"lan": {}}), nics(map[string]backends.NIC{"lan": {BandwidthMbps: two}}),
			[]string{`set networks["lan"].bandwidth_mbps to 2 [network_limits]`},
		},
		"an interface of any speed": {
			nics(map[string]backends.NIC{"lan": {BandwidthMbps: two}}), nics(map[string]backends.NIC{"lan": {BandwidthMbps: new(int64(0))}}),
			[]string{`set networks["lan"].bandwidth_mbps from 2 to 0 []`},
		},
		"a watchdog": {
			&backends.VMSpec{}, &backends.VMSpec{Watchdog: new("reset")}, []string{"set watchdog to reset [watchdog]"},
		},
		"a watchdog goes": {
			&backends.VMSpec{Watchdog: new("reset")}, &backends.VMSpec{Watchdog: new("")}, []string{"set watchdog from reset to  []"},
		},
		"no watchdog where there was none": {
			&backends.VMSpec{}, &backends.VMSpec{Watchdog: new("")}, nil,
		},
		"no watchdog where it is known that there is none": {
			&backends.VMSpec{Watchdog: new("")}, &backends.VMSpec{Watchdog: new("")}, nil,
		},
		"random numbers": {
			&backends.VMSpec{RNG: new(false)}, &backends.VMSpec{RNG: new(true)}, []string{"set rng from false to true [rng]"},
		},
		"no random numbers": {
			&backends.VMSpec{RNG: new(true)}, &backends.VMSpec{RNG: new(false)}, []string{"set rng from true to false []"},
		},
		"a console": {
			&backends.VMSpec{},
			&backends.VMSpec{Console: &backends.ConsoleSpec{Type: new("vnc"), Address: new("0.0.0.0"), Port: new(int64(5901)), TLS: new(true), PasswordVersion: one}},
			[]string{
				"set console.type to vnc [console_options]", "set console.address to 0.0.0.0 [console_options]",
				"set console.port to 5901 [console_options]", "set console.tls to true [console_options]",
				"set console.password_wo_version to 1 [console_options]",
			},
		},
		"a console of which nothing is asked": {
			&backends.VMSpec{Console: &backends.ConsoleSpec{Type: new("vnc")}}, &backends.VMSpec{Console: &backends.ConsoleSpec{}}, nil,
		},
		"any port where it was any": {
			&backends.VMSpec{Console: &backends.ConsoleSpec{}}, &backends.VMSpec{Console: &backends.ConsoleSpec{Port: new(int64(0)), TLS: new(false)}}, nil,
		},
		"no console asks for no feature": {
			&backends.VMSpec{Console: &backends.ConsoleSpec{Type: new("vnc")}}, &backends.VMSpec{Console: &backends.ConsoleSpec{Type: new("none")}},
			[]string{"set console.type from vnc to none []"},
		},
		"another password of the same version": {
			&backends.VMSpec{Console: &backends.ConsoleSpec{PasswordVersion: one}},
			&backends.VMSpec{Console: &backends.ConsoleSpec{Password: new("x"), PasswordVersion: one}}, nil,
		},
		"where a VM comes from": {
			&backends.VMSpec{Name: "a"}, &backends.VMSpec{Name: "a", Image: "i", Template: "t", Linked: true, CreateToken: "x"}, nil,
		},
		"disks left alone": {
			disks(map[string]backends.Disk{"a": {}}), disks(nil), nil,
		},
		"all disks go": {
			disks(map[string]backends.Disk{"a": {}}), disks(map[string]backends.Disk{}), []string{`remove disks["a"] []`},
		},
		"a bridge asks for bridges": {
			nics(map[string]backends.NIC{"lan": {Network: new("lan")}}), nics(map[string]backends.NIC{"lan": {Network: new("bridge:br0")}}),
			[]string{`set networks["lan"].network from lan to bridge:br0 [bridge_networks]`},
		},
		"DHCP is a value": {
			nics(map[string]backends.NIC{"lan": {IPv4: address}}), nics(map[string]backends.NIC{"lan": {}}),
			[]string{`set networks["lan"].ipv4 from {192.0.2.5/24 192.0.2.1 [] []} to <nil> [dhcp]`},
		},
		"a host after another is a migration": {
			&backends.VMSpec{Placement: backends.PlacementSpec{Host: new("h1")}}, &backends.VMSpec{Placement: backends.PlacementSpec{Host: new("h2")}},
			[]string{"set placement.host from h1 to h2 [migration]"},
		},
		"a first host is not": {
			&backends.VMSpec{}, &backends.VMSpec{Placement: backends.PlacementSpec{Host: new("h2")}},
			[]string{"set placement.host to h2 [host_placement]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range backends.Diff(tt.from, tt.to) {
				got = append(got, c.String()+" ["+string(c.Feature)+"]")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Diff:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestDiffHidesSecrets: what may be secret appears in no change.
func TestDiffHidesSecrets(t *testing.T) {
	const secret = "hunter2"
	to := &backends.VMSpec{
		CloudInit: &backends.CloudInit{
			UserData: new("password: " + secret), VendorData: new(secret), MetaData: new(secret), NetworkConfig: new(secret),
			Users: []backends.CloudUser{{Name: "a", PasswordHash: secret}},
		},
		Customization: &backends.Customization{Windows: &backends.WindowsCustomization{AdminPassword: secret, ProductKey: secret}},
		Console:       &backends.ConsoleSpec{Type: new("vnc"), Password: new(secret), PasswordVersion: new(int64(1))},
	}
	changes := backends.Diff(&backends.VMSpec{}, to)
	if len(changes) < 6 {
		t.Errorf("only %d changes: %v", len(changes), changes)
	}
	for _, c := range changes {
		if strings.Contains(c.String(), secret) {
			t.Errorf("%s tells the secret", c.Path)
		}
	}
}

// TestUserDataVersion: where user data is write-only, only its version counts.
func TestUserDataVersion(t *testing.T) {
	from := &backends.VMSpec{CloudInit: &backends.CloudInit{UserDataVersion: new(int64(1))}}
	same := &backends.VMSpec{CloudInit: &backends.CloudInit{UserData: new("anything"), UserDataVersion: new(int64(1))}}
	if c := backends.Diff(from, same); len(c) > 0 {
		t.Errorf("the same version differs: %v", c)
	}
	next := &backends.VMSpec{CloudInit: &backends.CloudInit{UserData: new("anything"), UserDataVersion: new(int64(2))}}
	if c := backends.Diff(from, next); len(c) != 1 || c[0].Path != "cloud_init.user_data_wo_version" {
		t.Errorf("the next version: %v", c)
	}
}

// TestRequirements: where a VM comes from asks for features of its own.
func TestRequirements(t *testing.T) {
	named := backends.VMSpec{Name: "a"}
	linkedImage, template := named, named
	linkedImage.Image, linkedImage.Linked = "i", true
	template.Template = "debian"
	for name, tt := range map[string]struct {
		got  []backends.Change
		want []string
	}{
		"a VM":                {backends.Requirements(&named), []string{"set name to a []"}},
		"a VM of a template":  {backends.Requirements(&template), []string{"set name to a []", "set template to debian [template_deployment]"}},
		"a VM on an image":    {backends.Requirements(&linkedImage), []string{"set name to a []", "set linked to true [clone_linked]"}},
		"a full clone":        {backends.CloneRequirements(&backends.CloneSpec{Source: "7", Spec: named}), []string{"set name to a []", "set source_vm to 7 [clone_full]"}},
		"a linked clone":      {backends.CloneRequirements(&backends.CloneSpec{Source: "7", Linked: true, Spec: named}), []string{"set name to a []", "set linked to true [clone_linked]"}},
		"linked is said once": {backends.CloneRequirements(&backends.CloneSpec{Source: "7", Linked: true, Spec: linkedImage}), []string{"set name to a []", "set linked to true [clone_linked]"}},
		"a snapshot's clone":  {backends.CloneRequirements(&backends.CloneSpec{Source: "7", Snapshot: "s", Spec: named}), []string{"set name to a []", "set source_snapshot to s [clone_full]"}},
		"what it overrides": {
			backends.CloneRequirements(&backends.CloneSpec{Source: "7", Spec: backends.VMSpec{Name: "a", TPM: new(true), Disks: map[string]backends.Disk{"root": {}}}}),
			[]string{"set name to a []", "set tpm to true [tpm]", `add disks["root"] [disk_create]`, "set source_vm to 7 [clone_full]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range tt.got {
				got = append(got, c.String()+" ["+string(c.Feature)+"]")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("requirements:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
	if linkedImage.Image != "i" || !linkedImage.Linked {
		t.Error("the spec was changed")
	}
}

// TestDiffLaws holds what must be so whatever the specs.
func TestDiffLaws(t *testing.T) {
	empty := &backends.VMSpec{}
	rapid.Check(t, func(t *rapid.T) {
		a := randspec.Spec(t, "a", "a", inventory)
		b := randspec.Spec(t, "b", "b", inventory)
		if c := backends.Diff(a, a); len(c) > 0 {
			t.Errorf("Diff(x, x) is %v", c)
		}
		if c := backends.Diff(a, empty); len(c) > 0 {
			t.Errorf("what nobody asked for changes: %v", c)
		}
		changes := backends.Diff(a, b)
		if again := backends.Diff(a, b); !reflect.DeepEqual(changes, again) {
			t.Error("Diff is not the same twice")
		}
		order := map[backends.Action]int{backends.Remove: 0, backends.Add: 2}
		for i, c := range changes {
			if rank(order, c) < 0 || i > 0 && rank(order, changes[i-1]) > rank(order, c) {
				t.Errorf("%s comes after %s", c, changes[i-1])
			}
			if c.From != nil && reflect.DeepEqual(c.From, c.To) {
				t.Errorf("%s changes nothing", c)
			}
			if c.Feature != "" {
				if _, known := c.Feature.Describe(); !known {
					t.Errorf("%s asks for the unknown feature %q", c, c.Feature)
				}
			}
			if c.Path == "" || c.Path.Generic() == "" {
				t.Errorf("%+v has no path", c)
			}
		}
		if a.Name != "a" || b.Name != "b" {
			t.Error("Diff changed its arguments")
		}
	})
}

func rank(order map[backends.Action]int, c backends.Change) int {
	if r, ok := order[c.Action]; ok {
		return r
	}
	return 1
}
