package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestReconfigureAgain repeats additions, as is done when the connection broke before the
// answer: nothing is there twice.
func TestReconfigureAgain(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Virsh(t, "vol-create-as", "default", "some.iso", "1M")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", "some.iso", "default") })
	for name, mode := range map[string]backends.ReconfigureMode{"cold": backends.Cold, "live": backends.Live} {
		t.Run(name, func(t *testing.T) {
			spec := blank("repeated")
			id := create(t, b, spec)
			if mode == backends.Live {
				power(t, b, id, backends.PowerOn)
			}
			from := get(t, b, id).Config
			spec.Networks = map[string]backends.NIC{"lan": {}, "dmz": {Network: ptr(libvirtlab.StaticNetwork)}}
			spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1))}
			spec.CDROM = &backends.CDROM{ISO: "default/some.iso"}
			r := backends.Reconfiguration{Desired: spec, Changes: backends.Diff(&from, spec), Mode: mode}
			count := func() string {
				return strings.Join(l.Volumes(t, "default"), " ") +
					l.Virsh(t, "domiflist", "repeated", "--inactive") + l.Virsh(t, "domblklist", "repeated", "--inactive")
			}
			var first string
			for try := range 2 {
				if err := b.Reconfigure(t.Context(), id, r); err != nil {
					t.Fatal(err)
				}
				now := count()
				if try == 0 {
					first = now
				} else if now != first {
					t.Errorf("after the first time:\n%s\nafter the second:\n%s", first, now)
				}
			}
			for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
				t.Errorf("the next plan would %s", c)
			}
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestHalfAChange fails after an interface was plugged in: the seed names it all the same.
func TestHalfAChange(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("half")
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("half")}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	from := get(t, b, id).Config
	spec.Networks = map[string]backends.NIC{
		"a": {IPv4: &backends.IPConfig{Address: "10.0.0.5/24"}},
		"z": {Network: ptr("nope")},
	}
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: spec, Changes: backends.Diff(&from, spec), Mode: backends.Live})
	if e := wantCode(t, err, backends.NotFound); e.Path != `networks["z"].network` {
		t.Errorf("the error blames %q", e.Path)
	}
	after := get(t, b, id)
	for _, c := range backends.Diff(&after.Config, spec) {
		if c.Key != "z" {
			t.Errorf("the next plan would %s, which was done", c)
		}
	}
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := b.store.ReadSmall(t.Context(), d.mark.Seed.ref())
	if err != nil || !strings.Contains(string(seed), after.Networks["a"].MAC) || d.mark.SeedStale {
		t.Errorf("the seed does not name the new interface %s: stale %v, %v", after.Networks["a"].MAC, d.mark.SeedStale, err)
	}
}

// TestStaleSeed writes the seed with the next change, whatever that is, where it could not
// be written after a failure.
func TestStaleSeed(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.DirPool(t, "gone")
	spec := blank("stale")
	spec.Placement.Storage = ptr("gone")
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("before")}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	spec.CloudInit.Hostname = ptr("after")
	l.Virsh(t, "pool-destroy", "gone")
	e := &edit{Backend: b, dom: dom, d: d, up: true, mode: backends.Live, to: spec, seed: true}
	e.keep(t.Context())
	l.Virsh(t, "pool-start", "gone")
	if d, err = b.readDomain(t.Context(), dom, xmlFlags); err != nil || !d.mark.SeedStale {
		t.Fatalf("the mark does not say that the seed is stale: %v", err)
	}

	from := get(t, b, id).Config
	spec.Tags = []string{"other"}
	tags := []backends.Change{{Path: "tags", Action: backends.Set, From: from.Tags, To: spec.Tags}}
	if err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: spec, Changes: tags, Mode: backends.Live}); err != nil {
		t.Fatal(err)
	}
	if d, err = b.readDomain(t.Context(), dom, xmlFlags); err != nil || d.mark.SeedStale {
		t.Errorf("the seed is still said to be stale: %v", err)
	}
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
}

// TestNameTakenByTheUnreadable does not call a name taken by another before it knows whose it is.
func TestNameTakenByTheUnreadable(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Define(t, "", fmt.Sprintf(`<domain type='qemu'><name>future</name><memory unit='MiB'>64</memory>
		<metadata><v:vm xmlns:v=%q version="99"/></metadata><os><type arch='x86_64'>hvm</type></os></domain>`, markNamespace))
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "undefine", "future") })
	spec := blank("future")
	spec.CreateToken = "mine"
	id, err := b.CreateVM(t.Context(), spec)
	if id != "" || errors.Is(err, backends.ErrConflict) || !strings.Contains(fmt.Sprint(err), "newer provider") {
		t.Errorf("%q, %v; want the reason why the VM of that name cannot be read", id, err)
	}
}

// TestManyHotplugs uses up the slots of a running VM. The error says what helps, and it does.
func TestManyHotplugs(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("crowded")
	spec.Networks = map[string]backends.NIC{}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	plug := func(n int) error {
		from := get(t, b, id).Config
		spec.Networks[fmt.Sprintf("n%02d", n)] = backends.NIC{Connected: ptr(false)}
		return b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: spec, Changes: backends.Diff(&from, spec), Mode: backends.Live})
	}
	n, err := 0, error(nil)
	for ; err == nil && n < 3*spareSlots; n++ {
		err = plug(n)
	}
	if e := wantCode(t, err, backends.Exhausted); !strings.Contains(e.Remedy, "start") || n <= spareSlots {
		t.Errorf("after %d devices: %v (%s)", n, err, e.Remedy)
	}
	power(t, b, id, backends.PowerOff)
	power(t, b, id, backends.PowerOn)
	if err := plug(n); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
