package mock_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// sequence is a world to which things happen.
type sequence struct {
	*mock.Backend
	serial int
}

func (s *sequence) name() string { s.serial++; return fmt.Sprint("x", s.serial) }

// vms are the ids of all VMs and templates, in the order of their names.
func (s *sequence) vms(t rapid.TB) []backends.ID {
	list, err := s.ListVMs(context.Background(), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []backends.ID
	for _, vm := range list {
		ids = append(ids, vm.ID)
	}
	return ids
}

func (s *sequence) images(t rapid.TB) []backends.Image {
	list, err := s.ListImages(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// step does one thing that may be refused. What is refused must change nothing,
// which the audit cannot see, but the end of the test can.
func (s *sequence) step(t *rapid.T, volumes map[string]bool) error {
	ctx := context.Background()
	ids := s.vms(t)
	pick := func(label string) backends.ID {
		if len(ids) == 0 {
			return "none"
		}
		return rapid.SampledFrom(ids).Draw(t, label)
	}
	snapshotOf := func(id backends.ID) string {
		list, err := s.ListSnapshots(ctx, id)
		if err != nil || len(list) == 0 {
			return ""
		}
		return rapid.SampledFrom(list).Draw(t, "snapshot").ID
	}
	storage := func() *string { return new(rapid.SampledFrom([]string{"default", "fast", "small"}).Draw(t, "storage")) }
	keys := []string{"root", "data", "more"}
	key := func() string { return rapid.SampledFrom(keys).Draw(t, "key") }
	switch what := rapid.SampledFrom([]string{
		"create", "clone", "clone", "snapshot", "snapshot", "revert", "revert", "drop", "delete", "image", "template", "delete image",
		"disk", "delete disk", "write", "power", "change", "change", "migrate", "resize",
	}).Draw(t, "what"); what {
	case "create":
		spec := &backends.VMSpec{Name: s.name(), Disks: map[string]backends.Disk{}}
		for _, k := range keys {
			if rapid.Bool().Draw(t, "with "+k) {
				spec.Disks[k] = backends.Disk{SizeGiB: new(int64(rapid.IntRange(1, 9).Draw(t, "size"))), Storage: storage()}
			}
		}
		if list := s.images(t); len(list) > 0 && rapid.Bool().Draw(t, "of an image") {
			spec.Image, spec.Linked = rapid.SampledFrom(list).Draw(t, "image").ID, rapid.Bool().Draw(t, "linked")
			spec.Disks = nil
		}
		_, err := s.CreateVM(ctx, spec)
		return err
	case "clone":
		src := pick("source")
		spec := &backends.CloneSpec{Source: src, Linked: rapid.Bool().Draw(t, "linked"), Spec: backends.VMSpec{Name: s.name()}}
		if rapid.Bool().Draw(t, "of a snapshot") {
			spec.Snapshot = snapshotOf(src)
		}
		if rapid.Bool().Draw(t, "elsewhere") {
			spec.Spec.Placement.Storage = storage()
		}
		_, err := s.CloneVM(ctx, spec)
		return err
	case "snapshot":
		_, err := s.CreateSnapshot(ctx, pick("vm"), backends.SnapshotSpec{Name: s.name(), Memory: rapid.Bool().Draw(t, "memory")})
		return err
	case "revert":
		id := pick("vm")
		got, err := s.GetVMs(ctx, []backends.ID{id}, everything)
		if err != nil || got[id].Err != nil {
			return errors.Join(err, got[id].Err)
		}
		for k, d := range got[id].VM.Config.Disks {
			if d.KeepOnDestroy != nil && *d.KeepOnDestroy { // where it is not in the snapshot
				volumes[got[id].VM.Disks[k].VolumeID] = true
			}
		}
		return s.RevertSnapshot(ctx, id, snapshotOf(id))
	case "drop":
		id := pick("vm")
		return s.DeleteSnapshot(ctx, id, snapshotOf(id), rapid.Bool().Draw(t, "children"))
	case "delete":
		id := pick("vm")
		got, err := s.GetVMs(ctx, []backends.ID{id}, everything)
		if err != nil || got[id].Err != nil {
			return errors.Join(err, got[id].Err)
		}
		var keep []string
		for _, k := range slices.Sorted(maps.Keys(got[id].VM.Disks)) {
			if d := got[id].VM.Disks[k]; rapid.Bool().Draw(t, "keep "+k) {
				keep = append(keep, k)
				volumes[d.VolumeID] = true
			}
		}
		return s.DeleteVM(ctx, id, backends.DeleteOptions{KeepDisks: keep})
	case "image", "template":
		kind := map[string]string{"image": "disk", "template": "template"}[what]
		_, err := s.ImportImage(ctx, backends.ImageSpec{Name: s.name(), Kind: kind, Storage: storage()}, backends.ImageSource{VM: pick("vm")})
		return err
	case "delete image":
		if list := s.images(t); len(list) > 0 {
			return s.DeleteImage(ctx, rapid.SampledFrom(list).Draw(t, "image").ID)
		}
		return nil
	case "disk":
		v, err := s.CreateDisk(ctx, backends.DiskSpec{Name: s.name(), Disk: backends.Disk{SizeGiB: new(int64(2)), Storage: storage()}})
		if err == nil {
			volumes[v.ID] = true
		}
		return err
	case "delete disk":
		if len(volumes) > 0 {
			return s.DeleteDisk(ctx, rapid.SampledFrom(slices.Sorted(maps.Keys(volumes))).Draw(t, "volume"))
		}
		return nil
	case "write":
		return s.WriteData(ctx, pick("vm"), key(), "file", s.name())
	case "power":
		return s.SetPower(ctx, pick("vm"), rapid.SampledFrom([]backends.PowerAction{
			backends.PowerOn, backends.PowerOff, backends.Suspend, backends.Pause, backends.Resume,
		}).Draw(t, "action"))
	case "change":
		id := pick("vm")
		got, err := s.GetVMs(ctx, []backends.ID{id}, everything)
		if err != nil || got[id].Err != nil {
			return errors.Join(err, got[id].Err)
		}
		to := got[id].VM.Config
		to.Disks = maps.Clone(to.Disks)
		k := key()
		if have, there := to.Disks[k]; there {
			if value := have.KeepOnDestroy; value != nil && *value {
				volumes[got[id].VM.Disks[k].VolumeID] = true
			}
			delete(to.Disks, k)
		} else {
			d := backends.Disk{SizeGiB: new(int64(1)), Storage: storage(), KeepOnDestroy: new(rapid.Bool().Draw(t, "keep"))}
			if len(volumes) > 0 && rapid.Bool().Draw(t, "attach") {
				d = backends.Disk{Volume: new(rapid.SampledFrom(slices.Sorted(maps.Keys(volumes))).Draw(t, "volume")), Shared: new(rapid.Bool().Draw(t, "shared"))}
			}
			to.Disks[k] = d
		}
		return s.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&got[id].VM.Config, &to), Mode: backends.Live})
	case "migrate":
		return s.Migrate(ctx, pick("vm"), backends.PlacementSpec{Storage: storage()})
	default:
		id := pick("vm")
		got, err := s.GetVMs(ctx, []backends.ID{id}, everything)
		if err != nil || got[id].Err != nil {
			return errors.Join(err, got[id].Err)
		}
		if d, ok := got[id].VM.Disks[key()]; ok {
			return s.ResizeDisk(ctx, d.VolumeID, d.SizeBytes>>30+1)
		}
		return nil
	}
}

// TestAnySequence: whatever is done in whatever order, storages add up, nothing
// that is needed is gone, and when all is deleted nothing is left.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := mock.New(mock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &sequence{Backend: b}
		volumes := map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch err := s.step(t, volumes); backends.CodeOf(err) {
			case "", backends.Precondition, backends.Invalid, backends.NotFound, backends.Exhausted, backends.Conflict:
			default:
				t.Fatal(err)
			}
			for _, wrong := range b.Audit() {
				t.Fatal(wrong)
			}
		}
		s.clear(t, volumes)
	})
}

// TestAnySequenceIsKept: whoever opens the state file finds the world as it was left.
func TestAnySequenceIsKept(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		o := mock.Options{StateFile: filepath.Join(dir, fmt.Sprint(files, ".json"))}
		b, err := mock.New(o)
		if err != nil {
			t.Fatal(err)
		}
		s, volumes := &sequence{Backend: b}, map[string]bool{}
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			_ = s.step(t, volumes)
		}
		again, err := mock.New(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range again.Audit() {
			t.Error(wrong)
		}
		ctx := context.Background()
		all := func(b *mock.Backend) (left []any) {
			ids := s.vms(t)
			vms, err := b.GetVMs(ctx, ids, everything)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				list, err := b.ListSnapshots(ctx, id)
				left = append(left, *vms[id].VM, list, err)
				for _, key := range slices.Sorted(maps.Keys(vms[id].VM.Disks)) {
					data, err := b.ReadData(id, key)
					left = append(left, data, err)
				}
			}
			images, err := b.ListImages(ctx, "")
			storages, err2 := b.Storages(ctx)
			return append(left, images, storages, err, err2, b.Bases())
		}
		if was, is := all(b), all(again); !reflect.DeepEqual(was, is) {
			t.Errorf("the world was\n%+v\nand is\n%+v", was, is)
		}
	})
}

// clear deletes all, in rounds: what others need goes after them.
func (s *sequence) clear(t rapid.TB, volumes map[string]bool) {
	ctx := context.Background()
	for _, id := range s.vms(t) { // a disk of a linked clone may be attached to the source, which then is in its own way
		_ = s.SetPower(ctx, id, backends.PowerOff)
		vm := get(t, s, id)
		to := vm.Config
		to.Disks = maps.Clone(to.Disks)
		maps.DeleteFunc(to.Disks, func(_ string, d backends.Disk) bool { return d.Volume != nil })
		_ = s.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Cold})
	}
	for left := -1; ; {
		ids, images := s.vms(t), s.images(t)
		for _, id := range ids {
			_ = s.DeleteVM(ctx, id, backends.DeleteOptions{})
		}
		for _, im := range images {
			_ = s.DeleteImage(ctx, im.ID)
		}
		for id := range volumes {
			_ = s.DeleteDisk(ctx, id)
		}
		n := len(s.vms(t)) + len(s.images(t))
		if n == 0 || n == left {
			break
		}
		left = n
	}
	if s.Bases() > 0 {
		t.Errorf("%d bases are left", s.Bases())
	}
	list, err := s.Storages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range list {
		if st.FreeBytes != st.CapacityBytes {
			t.Errorf("storage %q still holds %d bytes", st.Name, st.CapacityBytes-st.FreeBytes)
		}
	}
}
