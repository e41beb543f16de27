package mock

import "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

var sampleImages = []backends.Image{
	{Name: "debian-12", Kind: "disk", Format: "qcow2", SizeBytes: 3 * gib, Allocated: 420 * mib},
	{Name: "ubuntu-24.04", Kind: "disk", Format: "qcow2", SizeBytes: 4 * gib, Allocated: 580 * mib},
	{Name: "rescue.iso", Kind: "iso", Format: "iso", SizeBytes: 800 * mib, Allocated: 800 * mib},
}

var sampleVMs = []struct {
	spec    backends.VMSpec
	running bool
	owned   bool
}{
	{
		spec: backends.VMSpec{
			Name: "web-01", Description: new("Front end of the shop"), Tags: []string{"prod", "web"}, Image: "default/debian-12",
			CPU: backends.CPU{Cores: new(int64(2)), MaxCores: new(int64(4))}, Memory: backends.Memory{SizeMiB: new(int64(2048)), MaxMiB: new(int64(4096))},
			Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(20))}},
			Networks: map[string]backends.NIC{"lan": {Network: new("lan")}},
		},
		running: true, owned: true,
	},
	{
		spec: backends.VMSpec{
			Name: "db-01", Description: new("Database of the shop"), Tags: []string{"db", "prod"}, Image: "default/debian-12",
			CPU: backends.CPU{Cores: new(int64(4))}, Memory: backends.Memory{SizeMiB: new(int64(8192))},
			Disks: map[string]backends.Disk{
				"root": {SizeGiB: new(int64(20))},
				"data": {SizeGiB: new(int64(200)), Storage: new("fast")},
			},
			Networks: map[string]backends.NIC{"lan": {
				Network: new("lan"), IPv4: &backends.IPConfig{Address: "10.20.0.10/16", Gateway: "10.20.0.1"},
			}},
		},
		running: true, owned: true,
	},
	{
		spec: backends.VMSpec{
			Name: "legacy-app", Description: new("Made by hand"), GuestOS: new("other"),
			Memory:   backends.Memory{SizeMiB: new(int64(1024))},
			Disks:    map[string]backends.Disk{"vda": {SizeGiB: new(int64(40)), Provisioning: new("thick")}},
			Networks: map[string]backends.NIC{"net0": {Network: new("vmbr0"), Model: new("e1000")}},
		},
	},
}

// addSamples puts the sample data into a world, beside what is there.
func (b *Backend) addSamples(w *world) {
	for _, im := range sampleImages {
		im.Storage = storages[0].Name
		im.ID = im.Storage + "/" + im.Name
		im.Path = "/mock/" + im.ID
		im.Fingerprint = "sample:" + im.Name
		if w.Images[im.ID] == nil {
			w.Images[im.ID] = &image{im}
		}
	}
	for _, sample := range sampleVMs {
		m, err := b.born(w, &sample.spec, false)
		if err != nil { // the name is taken
			continue
		}
		m = clone(m)
		m.Owned = sample.owned
		if sample.running && b.start(w, m) == nil {
			m.Power = backends.Running
		}
		w.put(m)
	}
}
