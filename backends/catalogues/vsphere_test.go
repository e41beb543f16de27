package catalogues_test

import (
	"strings"
	"testing"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

func onVSphere(edit func(*b.VMSpec)) *b.VMSpec {
	s := &b.VMSpec{
		Name:    "web",
		CPU:     b.CPU{Cores: new(int64(2)), Sockets: new(int64(1)), HotAdd: new(true), MaxCores: new(int64(4))},
		Memory:  b.Memory{SizeMiB: new(int64(1024)), MaxMiB: new(int64(1024)), HotAdd: new(false)},
		Disks:   map[string]b.Disk{"root": {SizeGiB: new(int64(10)), Bus: new("scsi"), Storage: new("one"), Policy: new("gold"), Provisioning: new("thin")}, "old": {Bus: new("ide")}},
		VSphere: &b.VSphereOptions{HardwareVersion: new(int64(19)), ExtraConfig: map[string]string{"a": "1"}},
	}
	if edit != nil {
		edit(s)
	}
	return s
}

func edited(edit func(*b.Disk)) func(*b.VMSpec) {
	return func(s *b.VMSpec) {
		d := s.Disks["root"]
		edit(&d)
		s.Disks["root"] = d
	}
}

// TestVSphere_impact: what vSphere does to a running VM, and what restarts it.
func TestVSphere_impact(t *testing.T) {
	with := func(bus string) func(*b.VMSpec) {
		return func(s *b.VMSpec) { s.Disks["new"] = b.Disk{SizeGiB: new(int64(1)), Bus: &bus} }
	}
	several := func(s *b.VMSpec) { s.CPU.Sockets = new(int64(2)) }
	for name, tt := range map[string]struct {
		from, to func(*b.VMSpec)
		want     b.Effect
		word     string
	}{
		"cores":               {nil, func(s *b.VMSpec) { s.CPU.Cores = new(int64(3)) }, b.EffectLive, ""},
		"fewer cores":         {nil, func(s *b.VMSpec) { s.CPU.Cores = new(int64(1)) }, b.EffectRestart, "no processors"},
		"sockets":             {nil, func(s *b.VMSpec) { s.CPU.Sockets = new(int64(2)) }, b.EffectRestart, "each core"},
		"sockets of a core":   {func(s *b.VMSpec) { s.CPU.Cores = new(int64(1)) }, func(s *b.VMSpec) { s.CPU.Cores, s.CPU.Sockets = new(int64(1)), new(int64(2)) }, b.EffectLive, ""},
		"cores of sockets":    {several, func(s *b.VMSpec) { several(s); s.CPU.Cores = new(int64(4)) }, b.EffectRestart, "no cores"},
		"cores, switched off": {func(s *b.VMSpec) { s.CPU.HotAdd = new(false) }, func(s *b.VMSpec) { s.CPU.HotAdd = nil; s.CPU.Cores = new(int64(3)) }, b.EffectRestart, "cpu.hot_add"},
		"maximum":             {nil, func(s *b.VMSpec) { s.CPU.MaxCores = new(int64(8)) }, b.EffectLive, ""},
		"memory":              {nil, func(s *b.VMSpec) { s.Memory.SizeMiB = new(int64(2048)) }, b.EffectRestart, "memory.hot_add"},
		"memory's maximum":    {nil, func(s *b.VMSpec) { s.Memory.MaxMiB = new(int64(2048)) }, b.EffectRestart, "switched on"},
		"memory, hot":         {func(s *b.VMSpec) { s.Memory.HotAdd = new(true) }, func(s *b.VMSpec) { s.Memory.HotAdd, s.Memory.SizeMiB = new(true), new(int64(2048)) }, b.EffectLive, ""},
		"less memory":         {func(s *b.VMSpec) { s.Memory.HotAdd = new(true) }, func(s *b.VMSpec) { s.Memory.HotAdd, s.Memory.SizeMiB = new(true), new(int64(512)) }, b.EffectRestart, "no memory"},
		"all of it":           {nil, func(s *b.VMSpec) { s.Memory.ReservationMiB = new(int64(1024)) }, b.EffectLive, ""},
		"a scsi disk":         {nil, with("scsi"), b.EffectLive, ""},
		"a sata disk":         {nil, with("sata"), b.EffectLive, ""},
		"an nvme disk":        {nil, with("nvme"), b.EffectLive, ""},
		"an ide disk":         {nil, with("ide"), b.EffectRestart, "ide"},
		"an ide disk goes":    {nil, func(s *b.VMSpec) { delete(s.Disks, "old") }, b.EffectRestart, "ide"},
		"Storage vMotion":     {nil, edited(func(d *b.Disk) { d.Storage = new("two") }), b.EffectLive, ""},
		"a policy":            {nil, edited(func(d *b.Disk) { d.Policy = new("silver") }), b.EffectLive, ""},
		"provisioning":        {nil, edited(func(d *b.Disk) { d.Provisioning = new("thick") }), b.EffectRefuse, "creation"},
		"moved, provisioning": {nil, edited(func(d *b.Disk) { d.Storage, d.Provisioning = new("two"), new("thick") }), b.EffectLive, ""},
		"shrink":              {nil, edited(func(d *b.Disk) { d.SizeGiB = new(int64(5)) }), b.EffectRefuse, "shrink"},
		"slot":                {nil, edited(func(d *b.Disk) { d.Slot = new("1:0") }), b.EffectRestart, "detached"},
		"shared":              {nil, edited(func(d *b.Disk) { d.Shared = new(true) }), b.EffectRestart, "detached"},
		"host":                {nil, func(s *b.VMSpec) { s.Placement.Host = new("esx2") }, b.EffectLive, ""},
		"folder":              {nil, func(s *b.VMSpec) { s.Placement.Folder = new("team") }, b.EffectLive, ""},
		"firmware":            {nil, func(s *b.VMSpec) { s.Firmware = new("uefi") }, b.EffectRestart, "hardware"},
		"hardware version":    {nil, func(s *b.VMSpec) { s.VSphere.HardwareVersion = new(int64(20)) }, b.EffectRestart, "upgraded"},
		"older hardware":      {nil, func(s *b.VMSpec) { s.VSphere.HardwareVersion = new(int64(18)) }, b.EffectRefuse, "never goes back"},
		"extra config":        {nil, func(s *b.VMSpec) { s.VSphere.ExtraConfig = map[string]string{"a": "2"} }, b.EffectLive, ""},
		"boot order":          {nil, func(s *b.VMSpec) { s.VSphere.BootOrder = []string{"root"} }, b.EffectLive, ""},
		"scsi controller":     {nil, func(s *b.VMSpec) { s.VSphere.SCSIType = new("lsilogic") }, b.EffectRestart, "hardware"},
		"customization":       {nil, func(s *b.VMSpec) { s.Customization = &b.Customization{Hostname: "x"} }, b.EffectRestart, "starts"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := onVSphere(tt.from), onVSphere(tt.to)
			cat := catalogues.VSphere()
			worst := b.Impact{}
			changes := b.Diff(from, to)
			for _, c := range changes {
				if im := cat.ImpactOf(from, to, c); im.Effect > worst.Effect {
					worst = im
				}
			}
			if len(changes) == 0 || worst.Effect != tt.want || !strings.Contains(worst.Reason, tt.word) {
				t.Errorf("%v has the effect %d (%s), want %d with %q", changes, worst.Effect, worst.Reason, tt.want, tt.word)
			}
		})
	}
}

// TestVSphere_snapshots: a VM that has some does not grow or lose disks.
func TestVSphere_snapshots(t *testing.T) {
	cat := catalogues.VSphere()
	for name, tt := range map[string]struct {
		from, to func(*b.VMSpec)
		frozen   bool
	}{
		"grow":   {nil, edited(func(d *b.Disk) { d.SizeGiB = new(int64(20)) }), true},
		"remove": {nil, func(s *b.VMSpec) { delete(s.Disks, "root") }, true},
		"detach": {func(s *b.VMSpec) { s.Disks["v"] = b.Disk{Volume: new("x")} }, nil, false},
		"add":    {nil, func(s *b.VMSpec) { s.Disks["new"] = b.Disk{SizeGiB: new(int64(1))} }, false},
		"rename": {nil, func(s *b.VMSpec) { s.Name = "db" }, false},
	} {
		frozen := false
		for _, c := range b.Diff(onVSphere(tt.from), onVSphere(tt.to)) {
			frozen = frozen || cat.FrozenBy(c) != ""
		}
		if frozen != tt.frozen {
			t.Errorf("%s is frozen: %v, want %v", name, frozen, tt.frozen)
		}
	}
}

// TestVSphereESXi: what needs a vCenter is refused by name, and the rest is left.
func TestVSphereESXi(t *testing.T) {
	whole := catalogues.VSphere()
	alone := catalogues.VSphereESXi(whole)
	spec := func(edit func(*b.VMSpec)) *b.VMSpec { s := &b.VMSpec{Name: "web"}; edit(s); return s }
	for path, edit := range map[b.Path]func(*b.VMSpec){
		"template":                  func(s *b.VMSpec) { s.Template = "golden" },
		"placement.host":            func(s *b.VMSpec) { s.Placement.Host = new("esx") },
		"placement.cluster":         func(s *b.VMSpec) { s.Placement.Cluster = new("c") },
		"placement.folder":          func(s *b.VMSpec) { s.Placement.Folder = new("f") },
		`disks["root"].policy`:      func(s *b.VMSpec) { s.Disks = map[string]b.Disk{"root": {Policy: new("gold")}} },
		"customization":             func(s *b.VMSpec) { s.Customization = &b.Customization{Hostname: "x"} },
		"tpm":                       func(s *b.VMSpec) { s.TPM = new(true) },
		"vsphere.custom_attributes": func(s *b.VMSpec) { s.VSphere = &b.VSphereOptions{CustomAttributes: map[string]string{"a": "b"}} },
	} {
		to := spec(edit)
		refused := func(c b.Catalogue) bool {
			for _, f := range b.Check(c, &b.VMSpec{}, to, b.Requirements(to), b.CheckOptions{}) {
				if f.Severity == b.SeverityError && f.Path == path {
					return true
				}
			}
			return false
		}
		if !refused(alone) || refused(whole) {
			t.Errorf("%s is refused by a host: %v, by a vCenter: %v; want the first only", path, refused(alone), refused(whole))
		}
	}
	if alone.Support[b.FeatureClone].Level.Claimed() || !whole.Support[b.FeatureClone].Level.Claimed() {
		t.Error("a host clones, or a vCenter does not any more")
	}
	from, to := onVSphere(nil), onVSphere(edited(func(d *b.Disk) { d.Storage = new("two") }))
	if im := alone.ImpactOf(from, to, b.Diff(from, to)[0]); im.Effect != b.EffectRefuse {
		t.Errorf("a host moves a disk: %+v", im)
	}
	if _, lacks := whole.Lacks["vsphere.custom_attributes"]; lacks {
		t.Error("narrowing changed the table that it was made from")
	}
}
