package mock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// TestStateFile: what one process made the next one finds, to the last value.
func TestStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mock.json")
	o := mock.Options{StateFile: file, SampleData: true, Seed: 3}
	b := open(t, o)
	s := spec("vm", func(s *backends.VMSpec) {
		s.Tags, s.Description = []string{}, new("")
		s.Networks = map[string]backends.NIC{"lan": {Network: new("lan"), VLAN: new(int64(5)), Connected: new(false)}}
		s.CloudInit = &backends.CloudInit{Hostname: new("h"), Users: []backends.CloudUser{{Name: "ada"}}, SSHKeys: []string{}}
		s.DNS = &backends.DNS{Servers: []string{"192.0.2.1"}}
	})
	id := create(t, b, s)
	power(t, b, id, backends.PowerOn)
	disk, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "keep", Disk: backends.Disk{SizeGiB: new(int64(2))}})
	if err != nil {
		t.Fatal(err)
	}
	before := get(t, b, id)

	b = open(t, o)
	if after := get(t, b, id); !reflect.DeepEqual(before, after) {
		t.Errorf("the VM was\n%+v\nand is\n%+v", before, after)
	}
	if again, err := b.GetDisk(t.Context(), disk.ID); err != nil || !reflect.DeepEqual(disk, again) {
		t.Errorf("the disk was %+v and is %+v (%v)", disk, again, err)
	}
	tasks, err := b.Tasks(t.Context(), backends.TaskFilter{VM: id})
	if err != nil || len(tasks) != 2 {
		t.Errorf("the history has %+v (%v), want the creation and the start", tasks, err)
	}
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(all) != 6 {
		t.Errorf("%d VMs (%v), want ours and the five samples once", len(all), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file may hold secrets and has mode %v (%v)", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files were left behind: %v (%v)", left, err)
	}
}

// TestOldStateFile: one that was written before there were snapshots is read as
// it is, gets the sample templates once, and serves for all that is new.
func TestOldStateFile(t *testing.T) {
	old, err := os.ReadFile("testdata/state-1.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mock.json")
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	o := mock.Options{StateFile: file, SampleData: true}
	b := open(t, o)
	list, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"vm"}})
	if err != nil || len(list) != 1 || list[0].Power != backends.Running {
		t.Fatalf("the VM is %+v (%v)", list, err)
	}
	id := list[0].ID
	before := get(t, b, id)
	if len(snapshots(t, b, id)) != 0 || before.Disks["keep"].Owned {
		t.Errorf("the VM is %+v", before)
	}
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	noDiff(t, get(t, b, id), &before.Config)
	cloneVM(t, b, &backends.CloneSpec{Source: id, Linked: true, Spec: backends.VMSpec{Name: "clone"}})
	template, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"debian-12-template"}})
	if err != nil || len(template) != 1 || !template[0].Template {
		t.Fatalf("the template is %+v (%v)", template, err)
	}
	if err := b.DeleteImage(t.Context(), string(template[0].ID)); err != nil {
		t.Fatal(err)
	}
	b = open(t, o)
	if all, err := b.ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(all) != 6 {
		t.Errorf("%+v (%v), want the template that was deleted to stay so", all, err)
	}
	if len(snapshots(t, b, id)) != 1 {
		t.Error("the snapshot was not kept")
	}
	sound(t, b)
}

// TestStateFileIsShared: two processes see and keep each other's work.
func TestStateFileIsShared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mock.json")
	one, two := open(t, mock.Options{StateFile: file}), open(t, mock.Options{StateFile: file})
	id := create(t, one, spec("vm"))
	if get(t, two, id).Config.Name != "vm" {
		t.Error("the other one does not see the VM")
	}
	_, err := two.CreateVM(t.Context(), spec("vm"))
	wantCode(t, err, backends.Conflict, `"vm"`, "import")

	waited := make(chan error, 1)
	ctx := t.Context()
	go func() { waited <- one.WaitPower(ctx, id, backends.Running) }()
	power(t, two, id, backends.PowerOn)
	if err := <-waited; err != nil {
		t.Errorf("waiting for what the other one does: %v", err)
	}

	const each = 15
	var wg sync.WaitGroup
	errs := make([]error, 2*each)
	for i := range 2 * each {
		b := []*mock.Backend{one, two}[i%2]
		wg.Go(func() { _, errs[i] = b.CreateVM(ctx, spec(fmt.Sprint("vm-", i))) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	all, err := open(t, mock.Options{StateFile: file}).ListVMs(ctx, backends.VMFilter{})
	if err != nil || len(all) != 2*each+1 {
		t.Errorf("%d VMs were kept (%v), want %d", len(all), err, 2*each+1)
	}
}

// TestChangesWaitTogether: what comes while another process has the file is kept
// in one go, each change with its own outcome.
func TestChangesWaitTogether(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mock.json")
	b := open(t, mock.Options{StateFile: file})
	create(t, b, spec("taken"))
	unlock, err := mock.LockFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	type outcome struct {
		name string
		err  error
	}
	outcomes := make(chan outcome, 8)
	ctx := t.Context()
	begin := func(ctx context.Context, name string, s *backends.VMSpec) {
		go func() { _, err := b.CreateVM(ctx, s); outcomes <- outcome{name, err} }()
	}
	for i := range 6 {
		begin(ctx, "good", spec(fmt.Sprint("good-", i)))
	}
	begin(ctx, "bad", spec("bad", func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(1)) }))
	begin(gone, "gone", spec("gone"))
	for b.Waiting() < 8 {
		runtime.Gosched()
	}
	cancel()
	if first := <-outcomes; first.name != "gone" || backends.CodeOf(first.err) != backends.Canceled {
		t.Errorf("%s ended first: %v", first.name, first.err)
	}
	unlock()
	for range 7 {
		o := <-outcomes
		if want := map[string]backends.Code{"bad": backends.Invalid}[o.name]; backends.CodeOf(o.err) != want {
			t.Errorf("%s: %v", o.name, o.err)
		}
	}
	all, err := open(t, mock.Options{StateFile: file}).ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(all) != 7 {
		t.Errorf("%d VMs were kept (%v), want 7", len(all), err)
	}
}

// TestBadStateFile: what is not ours is named, explained and left alone.
func TestBadStateFile(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		content string
		words   []string
	}{
		"damaged":        {`{"Version":1,"Machines":{"a`, []string{"damaged", "delete it"}},
		"newer":          {`{"Version":99}`, []string{"version 99", "Upgrade the provider"}},
		"somebody's":     {`{"name":"package"}`, []string{"no state file", "another file"}},
		"not an object":  {`[1,2]`, []string{"damaged"}},
		"a VM not there": {`{"Version":1,"Machines":{"a":null}}`, []string{"damaged", `"a"`}},
		"a VM misplaced": {`{"Version":1,"Machines":{"a":{"ID":"b"}}}`, []string{"damaged", `"a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".json")
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := mock.New(mock.Options{StateFile: file})
			wantCode(t, err, backends.Invalid, append(tt.words, file)...)
			if left, err := os.ReadFile(file); err != nil || string(left) != tt.content {
				t.Errorf("the file now holds %q (%v)", left, err)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		file := filepath.Join(dir, "empty.json")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		create(t, open(t, mock.Options{StateFile: file}), spec("vm"))
	})
	t.Run("no directory", func(t *testing.T) {
		b := open(t, mock.Options{StateFile: filepath.Join(dir, "no", "such", "file.json")})
		_, err := b.CreateVM(t.Context(), spec("vm"))
		wantCode(t, err, backends.Precondition, "no/such/file.json", "directory that exists")
	})
}

// fleet is a world of n VMs, two disks and a NIC each.
func fleet(tb testing.TB, n int, o mock.Options) (*mock.Backend, []backends.ID) {
	tb.Helper()
	b, err := mock.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ids := make([]backends.ID, n)
	for i := range ids {
		s := spec(fmt.Sprintf("vm-%04d", i), func(s *backends.VMSpec) {
			s.Disks["data"] = backends.Disk{SizeGiB: new(int64(5))}
			s.Networks = map[string]backends.NIC{"lan": {Network: new("lan")}}
		})
		if ids[i], err = b.CreateVM(context.Background(), s); err != nil {
			tb.Fatal(err)
		}
	}
	return b, ids
}

func BenchmarkRead1000(b *testing.B) {
	for name, o := range map[string]mock.Options{
		"memory": {}, "state file": {StateFile: filepath.Join(b.TempDir(), "mock.json")},
	} {
		world, ids := fleet(b, 1000, o)
		b.Run(name+"/GetVMs", func(b *testing.B) {
			for b.Loop() {
				if _, err := world.GetVMs(b.Context(), ids, everything|backends.AspectGuest); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/one by one", func(b *testing.B) {
			for b.Loop() {
				for _, id := range ids {
					if _, err := world.GetVMs(b.Context(), []backends.ID{id}, everything); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(name+"/ListVMs", func(b *testing.B) {
			for b.Loop() {
				if _, err := world.ListVMs(b.Context(), backends.VMFilter{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
