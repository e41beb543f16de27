package vcsim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vmdk"
)

// A diskFile is the path of a virtual disk's descriptor on the machine that the
// simulator runs on. Beside it is the extent: of a base disk the bytes as the
// guest sees them, up to the last that was written, and of a delta disk the log
// of what was written since it was made.
type diskFile string

// Keys of the disk database that only the simulator reads.
const (
	ddbParent    = "simulated.parent"
	ddbThin      = "thinProvisioned"
	ddbAllocated = "simulated.allocated"
)

// errChain is returned where a disk's parent is not there any more.
var errChain = errors.New("a disk of the chain is missing")

func (d diskFile) extent() string {
	base := strings.TrimSuffix(string(d), ".vmdk")
	if d.isDelta() {
		return base + "-delta.vmdk"
	}
	return base + "-flat.vmdk"
}

// isDelta tells by the descriptor, for the name says nothing.
func (d diskFile) isDelta() bool { return d.parent() != "" }

func (d diskFile) exists() bool {
	_, err := os.Stat(string(d))
	return err == nil
}

func (d diskFile) descriptor() (*vmdk.Descriptor, error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return vmdk.ParseDescriptor(io.LimitReader(f, 1<<20))
}

// edit changes the descriptor; the file is replaced, never half written.
func (d diskFile) edit(change func(*vmdk.Descriptor)) error {
	desc, err := d.descriptor()
	if err != nil {
		return err
	}
	change(desc)
	return d.save(desc)
}

func (d diskFile) save(desc *vmdk.Descriptor) error {
	var b bytes.Buffer
	if err := desc.Write(&b); err != nil {
		return err
	}
	tmp := string(d) + ".new"
	if err := os.WriteFile(tmp, b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, string(d))
}

func (d diskFile) ddb(key string) string {
	desc, err := d.descriptor()
	if err != nil {
		return ""
	}
	return desc.DDB[key]
}

func (d diskFile) parent() diskFile { return diskFile(d.ddb(ddbParent)) }

func (d diskFile) setParent(p diskFile) error {
	return d.edit(func(desc *vmdk.Descriptor) { desc.DDB[ddbParent] = string(p) })
}

// removeFile deletes a file that may be gone.
func removeFile(name string) {
	if name != "" {
		_ = os.Remove(name)
	}
}

// own are the endings of files that a machine makes beside its disks.
var own = map[string]bool{
	".vmx": true, ".vmxf": true, ".nvram": true, ".vmsd": true, ".vmsn": true,
	".vmss": true, ".vmem": true, ".vswp": true, ".log": true,
}

// removeOwn deletes a machine's own files in its directory, which stays if
// there are others in it.
func removeOwn(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if own[filepath.Ext(e.Name())] {
			removeFile(filepath.Join(dir, e.Name()))
		}
	}
	removeFile(dir)
}

// capacity is in bytes.
func (d diskFile) capacity() int64 {
	desc, err := d.descriptor()
	if err != nil {
		return 0
	}
	return desc.Capacity()
}

func (d diskFile) setCapacity(n int64) error {
	return d.edit(func(desc *vmdk.Descriptor) {
		if len(desc.Extent) > 0 {
			desc.Extent[0].Size = n / vmdk.SectorSize
		}
	})
}

// setThin records how the disk takes its space.
func (d diskFile) setThin(thin bool) error {
	return d.edit(func(desc *vmdk.Descriptor) {
		delete(desc.DDB, ddbThin)
		if thin {
			desc.DDB[ddbThin] = "1"
		}
	})
}

// usage is how much space of its datastore the disk takes: what was written to
// a thin or delta disk, all of another.
func (d diskFile) usage() int64 {
	desc, err := d.descriptor()
	if err != nil {
		return 0
	}
	if desc.DDB[ddbParent] == "" && desc.DDB[ddbThin] == "" {
		return desc.Capacity()
	}
	n, _ := strconv.ParseInt(desc.DDB[ddbAllocated], 10, 64)
	return n
}

// allocate adds to what was written.
func (d diskFile) allocate(n int64) error {
	return d.edit(func(desc *vmdk.Descriptor) {
		had, _ := strconv.ParseInt(desc.DDB[ddbAllocated], 10, 64)
		desc.DDB[ddbAllocated] = strconv.FormatInt(min(had+n, desc.Capacity()), 10)
	})
}

// create makes an empty disk.
func (d diskFile) create(capacity int64, thin bool) error {
	if err := os.MkdirAll(filepath.Dir(string(d)), 0o700); err != nil {
		return err
	}
	desc := vmdk.NewDescriptor(vmdk.Extent{Size: capacity / vmdk.SectorSize, Info: filepath.Base(d.extent())})
	if thin {
		desc.DDB[ddbThin] = "1"
	}
	if err := d.save(desc); err != nil {
		return err
	}
	return os.WriteFile(d.extent(), nil, 0o600)
}

// createDelta makes a disk that reads as parent until it is written to.
func (d diskFile) createDelta(parent diskFile) error {
	capacity := parent.capacity()
	if !parent.exists() {
		return fmt.Errorf("%w: %s", errChain, parent)
	}
	if err := os.MkdirAll(filepath.Dir(string(d)), 0o700); err != nil {
		return err
	}
	extent := strings.TrimSuffix(filepath.Base(string(d)), ".vmdk") + "-delta.vmdk"
	desc := vmdk.NewDescriptor(vmdk.Extent{Size: capacity / vmdk.SectorSize, Info: extent, Type: "VMFSSPARSE"})
	desc.Type = "vmfsSparse"
	desc.DDB[ddbParent] = string(parent)
	if err := d.save(desc); err != nil {
		return err
	}
	return os.WriteFile(d.extent(), nil, 0o600)
}

// remove deletes the descriptor and the extent.
func (d diskFile) remove() error {
	err := os.Remove(d.extent())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(string(d)))
}

// move renames the disk.
func (d diskFile) move(to diskFile) error {
	extent := d.extent()
	if err := os.MkdirAll(filepath.Dir(string(to)), 0o700); err != nil {
		return err
	}
	if err := os.Rename(string(d), string(to)); err != nil {
		return err
	}
	if err := os.Rename(extent, to.extent()); err != nil {
		return err
	}
	return to.edit(func(desc *vmdk.Descriptor) {
		if len(desc.Extent) > 0 {
			desc.Extent[0].Info = filepath.Base(to.extent())
		}
	})
}

// chain is the disk and its parents, the base last.
func (d diskFile) chain() []diskFile {
	var list []diskFile
	for d != "" && len(list) < 64 {
		list = append(list, d)
		d = d.parent()
	}
	return list
}

// readAt reads what a guest would: the chain's base, and over it what was
// written to each delta. What nobody wrote is zeros.
func (d diskFile) readAt(p []byte, at int64) error {
	clear(p)
	chain := d.chain()
	for i := len(chain) - 1; i >= 0; i-- {
		c := chain[i]
		if !c.exists() {
			return fmt.Errorf("%w: %s", errChain, c)
		}
		if err := c.overlay(p, at); err != nil {
			return err
		}
	}
	return nil
}

func (d diskFile) overlay(p []byte, at int64) error {
	f, err := os.Open(d.extent())
	if err != nil {
		return err
	}
	defer f.Close()
	if !d.isDelta() {
		_, err := f.ReadAt(p, at)
		if err == io.EOF {
			err = nil
		}
		return err
	}
	return records(f, func(offset int64, data []byte) error {
		from, to := max(offset, at), min(offset+int64(len(data)), at+int64(len(p)))
		if from < to {
			copy(p[from-at:to-at], data[from-offset:to-offset])
		}
		return nil
	})
}

// records calls f for each record of a delta's log: where it was written and what.
func records(r io.Reader, f func(offset int64, data []byte) error) error {
	var head [16]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		data := make([]byte, binary.LittleEndian.Uint64(head[8:]))
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		if err := f(int64(binary.LittleEndian.Uint64(head[:])), data); err != nil {
			return err
		}
	}
}

func dirOf(d diskFile) string { return filepath.Dir(string(d)) }
