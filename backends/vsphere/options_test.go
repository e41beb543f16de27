package vsphere

import (
	"maps"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestDrive(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	iso := object.DatastorePath{Datastore: r.sim.Seed.Datastores[0], Path: "debian.iso"}
	if err := r.putFile(r.ctx, iso, []byte("CD001")); err != nil {
		t.Fatal(err)
	}
	spec := r.spec("web")
	spec.CDROM = &backends.CDROM{ISO: iso.String()}
	id := r.create(spec)
	r.matches(id, spec)
	if n := len(r.read(id).Disks); n != 2 {
		t.Errorf("%d disks: the drive counts as one", n)
	}
	r.power(id, backends.PowerOn)
	to := *spec
	for _, medium := range []string{"", iso.String()} {
		to.CDROM = &backends.CDROM{ISO: medium}
		r.becomes(id, &to, backends.Live)
	}
	if n := len(r.machineOf(id).drives()); n != 1 {
		t.Errorf("there are %d drives", n)
	}
	bare := r.spec("bare")
	id = r.create(bare)
	bare.CDROM = &backends.CDROM{ISO: iso.String()}
	r.becomes(id, bare, backends.Cold)
	bare.CDROM = &backends.CDROM{ISO: "[datastore1] no-such.iso"}
	r.refused(r.try(id, bare, backends.Cold), backends.NotFound, "cdrom.iso")
}

func TestOptions(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	with := func(o backends.VSphereOptions) *backends.VMSpec {
		s := *spec
		s.VSphere = &o
		return &s
	}
	first := with(backends.VSphereOptions{
		HardwareVersion: new(int64(17)), BootDelayMs: new(int64(3000)), BootOrder: []string{"lan", "root"},
		ExtraConfig: map[string]string{"team": "a", "tier": "1"}, CustomAttributes: map[string]string{"owner": "me", "cost": "7"},
	})
	id := r.create(first)
	r.matches(id, first)
	next := with(backends.VSphereOptions{
		HardwareVersion: new(int64(19)), BootDelayMs: new(int64(0)), BootOrder: []string{},
		ExtraConfig: map[string]string{"team": "b"}, CustomAttributes: map[string]string{"owner": "you"},
	})
	next.Description = new("in one go")
	r.becomes(id, next, backends.Cold)
	m := r.machineOf(id)
	if _, left := extraValue(m.Config.ExtraConfig, "tier"); left {
		t.Error("a key that was taken away is still there")
	}
	if got := m.attributes(); !maps.Equal(got, map[string]string{"owner": "you"}) {
		t.Errorf("custom attributes: %v", got)
	}
	// What somebody else set is not ours to show or to take away.
	r.byHand(id, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "theirs", Value: "x"}}})
	r.matches(id, next)
	none := *next
	none.VSphere = &backends.VSphereOptions{ExtraConfig: map[string]string{}}
	none.Description = new("")
	r.becomes(id, &none, backends.Cold)
	if text, ok := extraValue(r.machineOf(id).Config.ExtraConfig, "theirs"); !ok || text != "x" {
		t.Errorf("what somebody else set became %q", text)
	}
	order := with(backends.VSphereOptions{BootOrder: []string{"new", "root"}})
	order.Disks = maps.Clone(spec.Disks)
	order.Disks["new"] = backends.Disk{SizeGiB: new(int64(1))}
	r.becomes(id, order, backends.Cold)
	if got := r.read(id).Config.VSphere.BootOrder; !slices.Equal(got, []string{"new", "root"}) {
		t.Errorf("boot order %v", got)
	}
}

func TestRename(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	taken := r.create(r.spec("taken"))
	spec := r.spec("web")
	id := r.create(spec)
	r.power(id, backends.PowerOn)
	to := *spec
	to.Name = "a/b 100%"
	r.becomes(id, &to, backends.Live)
	to.Name = "taken"
	err := r.try(id, &to, backends.Live)
	if backends.CodeOf(err) != backends.Conflict {
		t.Errorf("a name that %s has: %v", taken, err)
	}
}

// vSphere takes a key away whose value is empty.
func TestEmptyExtraConfigIsRefused(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.VSphere = &backends.VSphereOptions{ExtraConfig: map[string]string{"team": ""}}
	_, err := r.CreateVM(r.ctx, spec)
	r.refused(err, backends.Invalid, "vsphere.extra_config")
}
