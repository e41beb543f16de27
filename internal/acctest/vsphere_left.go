package acctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Guest writes a raw disk of size bytes to a file of a test and returns its path. VMs of it boot
// within milliseconds, to a guest that the simulator pretends to run.
func (v *VSphere) Guest(size int) string {
	v.t.Helper()
	file := filepath.Join(v.t.TempDir(), "guest.raw")
	disk := make([]byte, size)
	copy(disk, vcsim.GuestMarker)
	if err := os.WriteFile(file, disk, 0o600); err != nil {
		v.t.Fatal(err)
	}
	return file
}

// Machine is what the API shows of the VM of that name.
func (v *VSphere) Machine(name string) mo.VirtualMachine {
	v.t.Helper()
	p, err := v.Properties(name)
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// Has reports whether there is a VM of that name.
func (v *VSphere) Has(name string) bool { return slices.Contains(v.left(), "VM "+name) }

// AssertEmpty fails the test where something is left that was not there when the simulator started: a VM, a
// file on a datastore, a session, or a task that runs.
func (v *VSphere) AssertEmpty() {
	v.t.Helper()
	for _, one := range v.left() {
		if !slices.Contains(v.before, one) {
			v.t.Errorf("left behind: %s", one)
		}
	}
	v.AssertSessions()
}

// AssertSessions fails the test where a session was not ended, or a task still runs.
func (v *VSphere) AssertSessions() {
	v.t.Helper()
	if err := v.CheckSessions(); err != nil {
		v.t.Error(err)
	}
	if tasks := v.RunningTasks(); len(tasks) > 0 {
		v.t.Errorf("tasks still run: %v", tasks)
	}
}

// left lists VMs and files.
func (v *VSphere) left() []string {
	v.t.Helper()
	var all []string
	ctx := v.Context()
	for _, e := range ctx.Map.All("VirtualMachine") {
		ctx.WithLock(e, func() { all = append(all, "VM "+e.Entity().Name) })
	}
	for _, e := range ctx.Map.All("Datastore") {
		ds, ok := e.(*simulator.Datastore)
		if !ok {
			continue
		}
		root := ds.Info.GetDatastoreInfo().Url
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			inside, err := filepath.Rel(root, file)
			all = append(all, "["+ds.Name+"] "+filepath.ToSlash(inside))
			return err
		})
		if err != nil {
			v.t.Fatal(err)
		}
	}
	return all
}
