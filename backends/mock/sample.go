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
			w.Images[im.ID] = &image{Image: im}
		}
	}
	for _, sample := range sampleVMs {
		m, err := b.born(w, &sample.spec, made(&sample.spec), false)
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

// sampleEdition counts what the sample data consist of, so that an older state
// file gets what it lacks once: 1 is the templates.
const sampleEdition = 1

var sampleTemplates = []struct {
	spec    backends.VMSpec
	guest   string
	content int64
}{
	{
		guest: osOf("debian-12"), content: 600 * mib,
		spec: backends.VMSpec{
			Name: "debian-12-template", Description: new("Debian 12 with cloud-init"),
			CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(2048))},
			Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(10))}},
			Networks: map[string]backends.NIC{"lan": {Network: new("lan")}},
		},
	},
	{
		guest: osOf("windows-2022"), content: 12 * gib,
		spec: backends.VMSpec{
			Name: "windows-2022-template", Description: new("Windows Server 2022"),
			CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(4096))},
			GuestOS: new("windows"), Firmware: new("uefi"),
			Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(40))}},
			Networks: map[string]backends.NIC{"lan": {Network: new("lan"), Model: new("e1000e")}},
		},
	},
}

// addTemplates puts the sample templates into a world.
func (b *Backend) addTemplates(w *world) {
	for _, sample := range sampleTemplates {
		// A name that is taken stays whose it is.
		_, _ = b.born(w, &sample.spec, func(_ *world, m *machine, _ *backends.VMSpec) (*making, error) {
			m.Guest, m.Owned, m.Template = sample.guest, false, true
			return &making{disks: map[string]disk{"root": {Content: sample.content}}}, nil
		}, false)
	}
}
