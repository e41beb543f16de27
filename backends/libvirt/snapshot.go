package libvirt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// Snapshots of ours are external: the disks' volumes are frozen, the domain goes on in layers
// above them, and memory is a volume of its own. So it does not matter whether the VM
// runs, how its firmware keeps variables and which format its disks have. Libvirt keeps what
// belongs to a snapshot beside that, and virsh shows it.
//
// Left out are disks attached by volume, the medium in the CD-ROM drive and the
// seed. Firmware variables and TPM state are part of the memory; a snapshot without memory has
// neither, and a revert to it leaves them as they are.

// CreateSnapshot takes a snapshot. Its id is libvirt's name of it.
func (b *Backend) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	made := ""
	err := b.onDomain(ctx, id, fmt.Sprintf("create snapshot %q", spec.Name), func(dom rpc.Domain) (err error) {
		made, err = b.createSnapshot(ctx, dom, spec)
		return err
	})
	return made, err
}

// onDomain runs fn while it holds a VM's lock.
func (b *Backend) onDomain(ctx context.Context, id backends.ID, op string, fn func(rpc.Domain) error) error {
	object := backends.VMObject(string(id))
	unlock, err := b.locks.lock(ctx, lockName(id))
	if err != nil {
		return backends.Wrap(err, op, object)
	}
	defer unlock()
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return backends.Wrap(err, op, object)
	}
	return backends.Wrap(fn(dom), op, backends.VMObject(dom.Name))
}

// snapshotInMaking is one CreateSnapshot.
type snapshotInMaking struct {
	*Backend
	dom    rpc.Domain
	d      *domain
	spec   backends.SnapshotSpec
	name   string // libvirt's
	power  backends.PowerState
	layers []newLayer
	memory storage.Volume
	tried  bool // libvirt was asked to take it
}

func (b *Backend) createSnapshot(ctx context.Context, dom rpc.Domain, spec backends.SnapshotSpec) (string, error) {
	s := &snapshotInMaking{Backend: b, dom: dom, spec: spec, name: snapshotID(spec.Name)}
	if err := s.check(ctx); err != nil {
		return "", err
	}
	if err := s.plan(ctx); err != nil {
		return "", err
	}
	backends.Report(ctx, backends.Progress{Op: fmt.Sprintf("create snapshot %q", spec.Name), Object: backends.VMObject(dom.Name), Percent: 0})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err := s.make(ctx); err != nil {
		return "", err
	}
	take := s.take
	if spec.Quiesce {
		take = func(ctx context.Context) error { return s.quiesced(ctx, dom, s.take) }
	}
	err := take(ctx)
	if !s.tried {
		s.dropLayers(ctx, dom, s.d, s.layers, s.up())
		s.forget(ctx)
	}
	if err != nil && s.d.mark.snapshot(s.name) == nil {
		return "", err
	}
	return s.name, err
}

// longestSnapshotName leaves room for what libvirt and the escapes add to the name of a file.
const longestSnapshotName = 80

// snapshotID is what libvirt gets as a snapshot's name: it makes a file of it, so that
// slashes and a dot at the beginning are written as in URLs.
func snapshotID(name string) string {
	name = strings.NewReplacer("%", "%25", "/", "%2F").Replace(name)
	if strings.HasPrefix(name, ".") {
		name = "%2E" + name[1:]
	}
	return name
}

// snapshotTitle is the inverse of snapshotID.
func snapshotTitle(id string) string {
	return strings.NewReplacer("%25", "%", "%2F", "/", "%2E", ".").Replace(id)
}

// check refuses what cannot be, before anything is made.
func (s *snapshotInMaking) check(ctx context.Context) (err error) {
	spec := s.spec
	switch {
	case spec.Name == "":
		return invalid("name", "a snapshot needs a name")
	case strings.ContainsFunc(spec.Name, unicode.IsControl) || !isXMLText(spec.Name):
		return invalid("name", "%q is no name for a snapshot: it contains control characters", spec.Name)
	case len(spec.Name) > longestSnapshotName:
		return invalid("name", "the name has %d bytes, and libvirt keeps a file of that name; at most %d are possible", len(spec.Name), longestSnapshotName)
	case !isXMLText(spec.Description):
		return invalid("description", "it contains control characters, which libvirt cannot keep")
	case spec.Memory && spec.Quiesce:
		return invalid("quiesce", "with the memory there is nothing to quiesce: the guest goes on where it was")
	}
	if s.d, err = s.readDomain(ctx, s.dom, xmlFlags); err != nil {
		return err
	}
	if s.power, err = s.Backend.power(ctx, s.dom); err != nil {
		return err
	}
	not := func(path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(backends.Precondition, "", "", format, args...).At(path)
	}
	switch {
	case s.d.mark != nil && s.d.mark.Template:
		return not("", "it is a template, which never changes")
	case s.d.mark != nil && s.d.mark.Partial:
		return not("", "its creation did not end").Advise("Delete the VM and create it again.")
	case s.power == backends.Suspended:
		return not("", "the VM is suspended: its saved memory goes with the disks as they are").Advise("Resume or stop the VM first.")
	case spec.Memory && s.power == backends.Stopped:
		return not("memory", "the VM is stopped, so it has no memory to keep").Advise("Start the VM, or take the snapshot without memory.")
	case spec.Quiesce && s.power != backends.Running:
		return not("quiesce", "the VM is %s, so no agent can quiesce its file systems", s.power).
			Advise("Start the VM, or take the snapshot without quiesce.")
	}
	_, err = query(ctx, s.Backend, func(l *rpc.Libvirt) (rpc.DomainSnapshot, error) {
		return l.DomainSnapshotLookupByName(s.dom, s.name, 0)
	})
	if err == nil {
		return backends.Errorf(backends.Conflict, "", "", "the VM has a snapshot %q already", spec.Name).At("name").
			Advise("Choose another name, or delete that snapshot.")
	}
	if !answered(err, rpc.ErrNoDomainSnapshot) {
		return err
	}
	if err := s.adoptMark(ctx, s.d); err != nil {
		return err
	}
	return s.canLayer(ctx, s.dom, s.d, s.up())
}

func (s *snapshotInMaking) up() bool { return s.power != backends.Stopped }

// plan chooses the disks, and names the volumes.
func (s *snapshotInMaking) plan(ctx context.Context) (err error) {
	var keys []string
	for i, key := range diskKeys(s.d.xml, s.d.mark) {
		entry := s.d.mark.disk(key)
		switch {
		case key != "" && entry != nil && !entry.External:
			keys = append(keys, key)
		case key != "" && s.spec.Memory:
			return backends.Errorf(backends.Precondition, "", "",
				"disk %q is attached by volume, and a snapshot leaves such disks out: its content would not fit the memory", key).At("memory").
				Advise("Take the snapshot without memory, or detach that disk.")
		case key == "" && s.spec.Memory && s.d.xml.Devices.Disks[i].Device == "lun":
			return backends.Errorf(backends.Precondition, "", "",
				"the VM has a device of the host, %s, as a disk, whose content would not fit the memory", pathOf(&s.d.xml.Devices.Disks[i])).At("memory")
		}
	}
	if len(keys) == 0 {
		return backends.Errorf(backends.Precondition, "", "", "the VM has no disk of its own, so there is no content to keep")
	}
	if s.layers, err = s.planLayers(ctx, s.d, keys); err != nil || !s.spec.Memory {
		return err
	}
	pool := s.layers[0].ref.Pool
	s.memory.Ref = storage.Ref{Pool: pool, Name: volumeName(s.d.xml.Name, s.name, "save", s.layers[0].kind)}
	pools, err := s.poolsByName(ctx)
	if err != nil {
		return err
	}
	need, err := s.touchedMemory(ctx)
	if err != nil {
		return err
	}
	// A pool that is full stops the guests that write to it, so it is not tried.
	if pools[pool].FreeBytes < need {
		return backends.Errorf(backends.Exhausted, "", "", "the storage pool %q has %d MiB free, and the VM's memory takes up to %d MiB", pool, pools[pool].FreeBytes>>20, need>>20).
			At("memory").Advise("Free space, or take the snapshot without memory.")
	}
	return nil
}

// touchedMemory is what the guest has used of its memory at most: the rest is not saved.
func (s *snapshotInMaking) touchedMemory(ctx context.Context) (int64, error) {
	stats, err := query(ctx, s.Backend, func(l *rpc.Libvirt) ([]rpc.DomainMemoryStat, error) {
		return l.DomainMemoryStats(s.dom, uint32(rpc.DomainMemoryStatNr), 0)
	})
	if err != nil {
		return 0, err
	}
	least := int64(math.MaxInt64)
	for _, stat := range stats {
		if tag := rpc.DomainMemoryStatTags(stat.Tag); tag == rpc.DomainMemoryStatRss || tag == rpc.DomainMemoryStatActualBalloon {
			least = min(least, int64(min(stat.Val, 1<<50))<<10) //nolint:gosec // bounded
		}
	}
	if least == math.MaxInt64 {
		least = 0 // not known
	}
	return least, nil
}

// make makes the volumes, once the mark names them.
func (s *snapshotInMaking) make(ctx context.Context) (err error) {
	entry := snapshotMark{Name: s.name, Quiesced: s.spec.Quiesce, Pool: s.memory.Pool, Volume: s.memory.Name}
	s.d.mark.Snapshots = append(s.d.mark.Snapshots, entry)
	if err := s.makeLayers(ctx, s.dom, s.d, s.layers, s.up()); err != nil {
		s.forget(ctx)
		return err
	}
	if s.memory.Name == "" {
		return nil
	}
	// It is a volume before libvirt writes to it, so that its pool knows it.
	s.memory, err = s.store.Create(ctx, storage.Spec{Ref: s.memory.Ref, CapacityBytes: 4096, Format: "raw"})
	if err != nil {
		s.memory.Ref = entry.ref()
		s.dropLayers(ctx, s.dom, s.d, s.layers, s.up())
		s.forget(ctx)
	}
	return err
}

// forget removes a snapshot that came to nothing from the mark, with the volume of its memory.
func (s *snapshotInMaking) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	if s.memory.Name != "" && s.deleteVolume(ctx, s.memory.Ref) != nil {
		return // the mark still names it
	}
	s.d.mark.dropSnapshot(s.name)
	_ = s.saveMark(ctx, s.dom, s.d, s.up()) // the first cause is told
}

// take has libvirt take the snapshot.
func (s *snapshotInMaking) take(ctx context.Context) error {
	x := &libvirtxml.DomainSnapshot{
		Name: s.name, Description: s.spec.Description,
		Memory: &libvirtxml.DomainSnapshotMemory{Snapshot: "no"},
		Disks:  snapshotDisks(s.d.xml, s.layers),
	}
	s.tried = true
	flags := rpc.DomainSnapshotCreateAtomic | rpc.DomainSnapshotCreateReuseExt
	var err error
	if s.spec.Memory {
		x.Memory = &libvirtxml.DomainSnapshotMemory{Snapshot: "external", File: s.memory.Path}
		if s.power == backends.Running {
			flags |= rpc.DomainSnapshotCreateLive
		}
		err = s.saveMemory(ctx, x, flags)
	} else {
		err = s.layerLive(ctx, s.dom, s.d, s.layers, x, flags|rpc.DomainSnapshotCreateDiskOnly)
	}
	// Libvirt that is stuck may still write the memory, and take the snapshot.
	if err != nil && !errors.Is(err, errStuck) && !s.stands(ctx) {
		s.forget(ctx)
	}
	return err
}

// stands reports whether libvirt has the snapshot in spite of an error. Where that cannot be said
// it may, and nothing of it is removed.
func (s *snapshotInMaking) stands(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	_, err := query(ctx, s.Backend, func(l *rpc.Libvirt) (rpc.DomainSnapshot, error) {
		return l.DomainSnapshotLookupByName(s.dom, s.name, 0)
	})
	return !answered(err, rpc.ErrNoDomainSnapshot)
}

// abortSeen bounds the wait for libvirt to end what it was told to.
const abortSeen = 15 * time.Second

// saveMemory takes a snapshot with memory, which takes time. An interrupt ends it; the VM then
// goes on as if nothing had been.
func (s *snapshotInMaking) saveMemory(ctx context.Context, x *libvirtxml.DomainSnapshot, flags rpc.DomainSnapshotCreateFlags) error {
	text, err := x.Marshal()
	if err != nil {
		return err
	}
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		done <- s.once(calling, func(l *rpc.Libvirt) error {
			_, err := l.DomainSnapshotCreateXML(s.dom, text, uint32(flags))
			return err
		})
	}()
	err = s.awaitMemory(ctx, done)
	if errors.Is(err, errStuck) {
		cancel()
		<-done //nolint:errcheck // what it says is known
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	cancel()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	settling, stop := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer stop()
	return s.settle(settling, s.dom, s.d, s.layers, err)
}

var errStuck = fmt.Errorf("libvirt did not end the saving of memory within %s", abortSeen)

// awaitMemory waits for the answer, and tells how far the work is.
func (s *snapshotInMaking) awaitMemory(ctx context.Context, done <-chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			s.reportMemory(ctx)
			continue
		case <-ctx.Done():
		}
		s.abortJob(ctx, s.dom)
		timer := time.NewTimer(abortSeen)
		defer timer.Stop()
		select {
		case err := <-done:
			return err
		case <-timer.C:
			return errStuck
		}
	}
}

func (s *snapshotInMaking) reportMemory(ctx context.Context) {
	percent, err := query(ctx, s.Backend, func(l *rpc.Libvirt) (int, error) {
		_, _, _, total, processed, _, _, _, _, _, _, _, err := l.DomainGetJobInfo(s.dom)
		if total == 0 {
			return 0, err
		}
		return int(min(99, 100*processed/total)), err //nolint:gosec // bounded
	})
	if err == nil {
		backends.Report(ctx, backends.Progress{Op: "save the memory", Object: backends.VMObject(s.dom.Name), Percent: percent})
	}
}
