package libvirt

import (
	"os"
	"slices"
	"strings"
	"testing"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestVolumeGone plans a data disk anew whose volume somebody deleted, and makes it.
func TestVolumeGone(t *testing.T) {
	for name, remove := range map[string]func(*testing.T, *libvirtlab.Lab, backends.DiskStatus){
		"through libvirt": func(t *testing.T, l *libvirtlab.Lab, s backends.DiskStatus) {
			l.Virsh(t, "vol-delete", strings.TrimPrefix(s.VolumeID, "default/"), "default")
		},
		"below libvirt": func(t *testing.T, _ *libvirtlab.Lab, s backends.DiskStatus) {
			if err := os.Remove(s.Path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := libvirtlab.Shared(t)
			b := openLab(t, l)
			spec := blank("bereft")
			spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(2))}
			id := create(t, b, spec)
			remove(t, l, get(t, b, id).Disks["data"])

			vm := get(t, b, id)
			if _, there := vm.Config.Disks["data"]; there {
				t.Fatal("the disk is reported as if it were there")
			}
			changes := backends.Diff(&vm.Config, spec)
			if len(changes) == 0 || changes[0].Action != backends.Add || changes[0].Key != "data" {
				t.Fatalf("the plan is %v, want the disk added", changes)
			}
			change(t, b, id, spec, backends.Cold)
			power(t, b, id, backends.PowerOn)
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestVMGone tells apart a VM that is gone from one that cannot be read.
func TestVMGone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("doomed"))
	volume := get(t, b, id).Disks["root"].VolumeID
	l.Virsh(t, "undefine", "doomed")
	got, err := b.GetVMs(t.Context(), []backends.ID{id, "no-uuid"}, everything)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, got[id].Err, backends.NotFound)
	wantCode(t, got["no-uuid"].Err, backends.NotFound)
	wantCode(t, b.SetPower(t.Context(), id, backends.PowerOn), backends.NotFound)
	wantCode(t, b.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.NotFound)
	if err := b.DeleteDisk(t.Context(), volume); err != nil {
		t.Error(err)
	}
}

// TestFind believes libvirt that a VM is gone only when it says so of that VM: not when a
// list lacks it.
func TestFind(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("hidden"))
	there, _ := parseUUID(string(id))
	gone, _ := parseUUID(newUUID())
	wanted := []rpc.Domain{{UUID: there}, {UUID: gone}}

	lists := 0
	found, failed, err := b.find(t.Context(), wanted, func(of []rpc.Domain) ([]runtimeFacts, error) {
		if lists++; lists == 1 {
			return nil, nil
		}
		return b.overview(t.Context(), of, rpc.DomainStatsState)
	})
	if err != nil || len(found) != 1 || found[0].dom.UUID != there {
		t.Errorf("found %+v, %v; want the VM that one list left out", found, err)
	}
	if len(failed) != 1 {
		t.Errorf("failed %v, want the other one", failed)
	}
	wantCode(t, failed[gone], backends.NotFound)

	_, failed, err = b.find(t.Context(), wanted, func([]rpc.Domain) ([]runtimeFacts, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, failed[there], backends.Transient)
	wantCode(t, failed[gone], backends.NotFound)
}

// TestSeedGone starts a VM whose seed somebody deleted, and makes the seed anew.
func TestSeedGone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("seedless")
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("seedless")}
	id := create(t, b, spec)
	for _, volume := range l.Volumes(t, "default") {
		if strings.Contains(volume, "-seed-") {
			l.Virsh(t, "vol-delete", volume, "default")
		}
	}
	var said []string
	ctx := backends.WithWarnings(t.Context(), func(w backends.Warning) { said = append(said, w.Summary) })
	if err := b.SetPower(ctx, id, backends.PowerOn); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "seed") }) {
		t.Errorf("nothing is said of the seed: %q", said)
	}
	if len(backends.Diff(&get(t, b, id).Config, spec)) == 0 {
		t.Error("the plan is empty although the seed is gone")
	}
	change(t, b, id, spec, backends.Live)
	if live := l.Virsh(t, "domblklist", "seedless"); !strings.Contains(live, "-seed-") {
		t.Errorf("the new seed is not in the drive:\n%s", live)
	}
	power(t, b, id, backends.PowerOff)
	power(t, b, id, backends.PowerOn)
	if live := l.Virsh(t, "domblklist", "seedless"); !strings.Contains(live, "-seed-") {
		t.Errorf("after another start the new seed is not in the drive:\n%s", live)
	}
}

// TestRootGone makes the disk that boots anew: with the image, and first in the boot order.
func TestRootGone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	image := importTinyImage(t, l, b)
	for name, mode := range map[string]backends.ReconfigureMode{"cold": backends.Cold, "live": backends.Live} {
		t.Run(name, func(t *testing.T) {
			spec := blank("rootless")
			spec.Image = image
			spec.Networks = map[string]backends.NIC{"lan": {}}
			id := create(t, b, spec)
			root := get(t, b, id).Disks["root"]
			l.Virsh(t, "vol-delete", strings.TrimPrefix(root.VolumeID, "default/"), "default")
			if mode == backends.Live {
				l.Virsh(t, "detach-disk", "rootless", root.Device, "--config")
				power(t, b, id, backends.PowerOn)
			}
			changes := backends.Diff(&get(t, b, id).Config, spec)
			if len(changes) == 0 || changes[0].Action != backends.Add || changes[0].Key != "root" {
				t.Fatalf("the plan is %v, want the disk added", changes)
			}
			change(t, b, id, spec, mode)
			if now := get(t, b, id).Disks["root"]; now.SizeBytes < 1<<20 || !hasQCOW2Data(t, now.Path) {
				t.Errorf("the new disk %+v has nothing of the image", now)
			}
			_, after, _ := strings.Cut(l.Virsh(t, "dumpxml", "--inactive", "rootless"), "<serial>root</serial>")
			disk, _, _ := strings.Cut(after, "</disk>")
			if !strings.Contains(disk, "<boot order='1'/>") && !strings.Contains(l.Virsh(t, "dumpxml", "--inactive", "rootless"), "<boot order='1'/>\n      <serial>root") {
				t.Errorf("the new disk does not boot:\n%s", l.Virsh(t, "dumpxml", "--inactive", "rootless"))
			}
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// hasQCOW2Data reports whether more than an empty image is in a file.
func hasQCOW2Data(t *testing.T, path string) bool {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() > 4<<20
}
