package proxmox

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// CreateSnapshot takes a snapshot, whose id is its name.
//
// Proxmox VE asks the agent of a running guest to hold its file systems still wherever the agent is enabled and no memory is kept, and
// goes on without a word where it does not answer. It keeps the VM's configuration without its notes; the mark of the moment goes into the
// snapshot's description.
func (b *Backend) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	op := fmt.Sprintf("create snapshot %q", spec.Name)
	vmid, err := vmidOf(id)
	if err != nil {
		return "", fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	done, err := b.turns.take(ctx, vmid)
	if err != nil {
		return "", fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	defer done()
	m, err := b.machine(ctx, id)
	if err != nil {
		return "", fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	sid, err := b.createSnapshot(ctx, m, spec)
	return sid, fault.Wrap(b.nameHolder(ctx, id, err), op, m.object())
}

func (b *Backend) createSnapshot(ctx context.Context, m *machine, spec backends.SnapshotSpec) (string, error) {
	if err := m.canSnapshot(spec); err != nil {
		return "", err
	}
	list, err := b.snapshots(ctx, m)
	if err != nil {
		return "", err
	}
	if list.find(spec.Name) != nil {
		return "", backends.Errorf(backends.Conflict, "", "", "the VM has a snapshot of this name").At("name").
			Advise("Choose another name, or delete that snapshot.")
	}
	if err := b.canHold(ctx, m); err != nil {
		return "", err
	}
	if spec.Quiesce {
		if err := b.agentAnswers(ctx, m); err != nil {
			return "", err
		}
	}
	description, err := m.snapshotNotes(spec.Description, spec.Quiesce)
	if err != nil {
		return "", err
	}
	form := map[string]any{"snapname": spec.Name, "description": description, "vmstate": spec.Memory}
	path := pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "snapshot")
	err = pve.WhileLocked(ctx, func() error {
		_, err := b.conn.Task(ctx, "take a snapshot", m.object(), "POST", path, form)
		return err
	})
	if err != nil {
		return b.halfSnapshot(ctx, m, spec.Name, err)
	}
	return spec.Name, nil
}

// snapshotNotes is the description of a snapshot with the mark that the VM has now, if any.
func (m *machine) snapshotNotes(text string, quiesced bool) (string, error) {
	if m.Mark == nil && !quiesced {
		return text, nil
	}
	k := m.Mark.clone(m.hardware.VMID)
	k.Quiesced = quiesced
	return k.trail(text)
}

// halfSnapshot looks what a snapshot that failed has left: a whole one is told beside the error, of half of one is tried to get rid.
func (b *Backend) halfSnapshot(ctx context.Context, m *machine, name string, err error) (string, error) {
	switch backends.CodeOf(err) {
	case backends.Locked, backends.Conflict, backends.Invalid, backends.Auth, backends.NotFound: // it did not begin
		return "", err
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	list, listErr := b.snapshots(ctx, m)
	if listErr != nil {
		return "", err
	}
	s := list.find(name)
	switch {
	case s == nil:
		return "", err
	case s.State == "":
		return name, err
	}
	if _, dropErr := b.conn.Task(ctx, "remove what is left of a snapshot", m.object(), "DELETE", m.snapshotPath(name), map[string]any{"force": true}); dropErr != nil {
		return name, err
	}
	return "", err
}

func (m *machine) snapshotPath(name string, last ...any) string {
	return pve.Path(append([]any{"nodes", m.node, "qemu", m.hardware.VMID, "snapshot", name}, last...)...)
}

// canSnapshot refuses what Proxmox VE would refuse, or do otherwise than it is asked.
func (m *machine) canSnapshot(spec backends.SnapshotSpec) error {
	not := func(path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(backends.Precondition, "", "", format, args...).At(path)
	}
	power := m.power()
	switch {
	case spec.Name == "":
		return invalid("name", "a snapshot needs a name")
	case !snapshotName.MatchString(spec.Name):
		return backends.Errorf(backends.Invalid, "", "", "%q is no name that Proxmox VE takes for a snapshot", spec.Name).At("name").
			Advise("Use 2 to 40 letters, digits, hyphens and underscores, a letter first; other words have their place in description.")
	case spec.Name == "current" || strings.EqualFold(spec.Name, "pending"):
		return backends.Errorf(backends.Invalid, "", "", "Proxmox VE keeps the name %q for itself", spec.Name).At("name").Advise("Choose another name.")
	case spec.Memory && spec.Quiesce:
		return invalid("quiesce", "with the memory there is nothing to quiesce: the guest goes on where it was")
	case m.hardware.Template:
		return not("", "it is a template, which never changes")
	case m.Mark != nil && m.Mark.Partial:
		return unfinishedVM()
	case power == backends.Suspended:
		return not("", "the VM is suspended").Advise("Resume or stop the VM first.")
	case spec.Memory && power != backends.Running:
		return not("memory", "the VM is %s, so its memory cannot be kept", power).Advise("Start the VM, or take the snapshot without memory.")
	case spec.Quiesce && power != backends.Running:
		return not("quiesce", "the VM is %s, so nobody can quiesce its file systems", power).Advise("Start the VM, or take the snapshot without quiesce.")
	}
	return m.ownDisks()
}

func unfinishedVM() error {
	return backends.Errorf(backends.Precondition, "", "", "the VM is still being made, or its creation failed half-way").
		Advise("Delete the VM and create it again.")
}

// ownDisks refuses disks that are no part of the VM: Proxmox VE takes snapshots of all disks, and cannot leave one out.
func (m *machine) ownDisks() error {
	o := m.hardware.observe(world{}, false)
	for _, key := range sortedKeys(o.Disks) {
		if !o.Disks[key].Owned {
			return backends.Errorf(backends.Precondition, "", "", "the disk %q is attached by volume, and Proxmox VE cannot leave a disk out of a snapshot", key).
				Advise("Detach that disk first: remove it from disks.")
		}
	}
	return nil
}

// canHold asks whether storages and formats of all volumes have snapshots, and names the one that has not.
func (b *Backend) canHold(ctx context.Context, m *machine) error {
	var answer struct {
		Has pve.Bool `json:"hasFeature"`
	}
	path := pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "feature")
	if err := b.conn.Get(ctx, path, url.Values{"feature": {"snapshot"}}, &answer); err != nil || bool(answer.Has) {
		return err
	}
	configs, err := b.storageConfigs(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{efiSlot: "the volume of firmware variables", tpmSlot: "the state of the TPM"}
	for key, slot := range m.hardware.observe(world{}, false).Slots {
		names[slot] = fmt.Sprintf("disk %q", key)
	}
	for _, slot := range append(m.Config.Drives(), efiSlot, tpmSlot) {
		d := m.Config.Drive(slot)
		if d.IsCDROM() || d.IsCloudInit() || names[slot] == "" {
			continue
		}
		kind := string(configs[d.Storage()].Type)
		if kind == "" || hasSnapshots(kind, d.Format()) {
			continue
		}
		return backends.Errorf(backends.Precondition, "", "", "%s is %s on storage %q, which is of type %s: that has no snapshots", names[slot], d.Format(), d.Storage(), kind).
			Advise("%s", snapshotRemedy(slot, kind))
	}
	return backends.Errorf(backends.Precondition, "", "", "the storage or format of one of the VM's disks has no snapshots").
		Advise("Use disks as qcow2 on a storage of files, or a storage with snapshots: LVM-thin, ZFS, RBD.")
}

// hasSnapshots reports whether a storage's type has snapshots of volumes in a format (pve-storage).
func hasSnapshots(kind, format string) bool {
	switch kind {
	case "dir", "nfs", "cifs", "glusterfs", "cephfs", "lvm":
		return format == "qcow2"
	case "btrfs":
		return format != "vmdk"
	case "iscsi", "iscsidirect":
		return false
	}
	return true
}

func snapshotRemedy(slot, kind string) string {
	switch {
	case slot == tpmSlot:
		return "Move it to a storage with snapshots in Proxmox VE, such as LVM-thin, ZFS or RBD: on storages of files it is always raw."
	case slot == efiSlot:
		return "Move it to a storage with snapshots in Proxmox VE, or make it qcow2 there."
	case kind == "lvm", strings.HasPrefix(kind, "iscsi"):
		return "Move the disk to a storage with snapshots, such as LVM-thin, ZFS or RBD: set its storage."
	}
	return `Convert the disk with format = "qcow2", or move it to a storage with snapshots, such as LVM-thin, ZFS or RBD.`
}

// agentAnswers refuses a guest whose agent would not hold its file systems still.
func (b *Backend) agentAnswers(ctx context.Context, m *machine) error {
	not := func(why string) error {
		return backends.Errorf(backends.Precondition, "", "", "%s", why).At("quiesce").
			Advise("Take the snapshot without quiesce, or install and start qemu-guest-agent in the guest, with the agent enabled in the VM's configuration.")
	}
	if !m.current.Agent().Enabled() {
		return not("the guest agent, which has to quiesce the file systems, is not enabled")
	}
	err := b.conn.Post(ctx, pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "agent", "ping"), nil, nil)
	switch backends.CodeOf(err) {
	case "":
		return nil
	case backends.Auth, backends.Canceled:
		return err
	default:
		return not("the guest agent, which has to quiesce the file systems, does not answer")
	}
}

// snapshotRow is a snapshot as Proxmox VE lists it; the one named "current" is the present.
type snapshotRow struct {
	Name        pve.Text `json:"name"`
	Parent      pve.Text `json:"parent"`
	Description pve.Text `json:"description"`
	Time        pve.Int  `json:"snaptime"`
	VMState     pve.Bool `json:"vmstate"`
	State       pve.Text `json:"snapstate"` // "prepare" or "delete" while it is not whole
}

// snapshotList are a VM's snapshots, parents before children.
type snapshotList struct {
	rows    []snapshotRow
	current string // that which the present was made from
}

func (l snapshotList) find(name string) *snapshotRow {
	for i := range l.rows {
		if string(l.rows[i].Name) == name {
			return &l.rows[i]
		}
	}
	return nil
}

// snapshots lists a VM's snapshots.
func (b *Backend) snapshots(ctx context.Context, m *machine) (snapshotList, error) {
	var rows []snapshotRow
	if err := b.conn.Get(ctx, pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "snapshot"), nil, &rows); err != nil {
		return snapshotList{}, err
	}
	return orderSnapshots(rows), nil
}

func orderSnapshots(rows []snapshotRow) snapshotList {
	var l snapshotList
	children, known := map[pve.Text][]snapshotRow{}, map[pve.Text]bool{}
	for _, r := range rows {
		known[r.Name] = r.Name != "current"
	}
	for _, r := range rows {
		if r.Name == "current" {
			l.current = string(r.Parent)
			continue
		}
		if !known[r.Parent] {
			r.Parent = ""
		}
		children[r.Parent] = append(children[r.Parent], r)
	}
	var walk func(parent pve.Text)
	walk = func(parent pve.Text) {
		list := children[parent]
		delete(children, parent)
		slices.SortFunc(list, func(a, b snapshotRow) int {
			if a.Time != b.Time {
				return int(a.Time - b.Time)
			}
			return strings.Compare(string(a.Name), string(b.Name))
		})
		for _, r := range list {
			l.rows = append(l.rows, r)
			walk(r.Name)
		}
	}
	walk("")
	for _, parent := range slices.Sorted(maps.Keys(children)) { // of a circle, which only hands can make
		walk(parent)
	}
	if n := len(l.rows); n > 0 && l.find(l.current) == nil {
		// All that the present was made from is gone: the youngest is nearest.
		l.current = string(slices.MaxFunc(l.rows, func(a, b snapshotRow) int { return int(a.Time - b.Time) }).Name)
	}
	return l
}

// held is a snapshot's configuration, with the mark that the VM had then.
func (b *Backend) held(ctx context.Context, m *machine, name string) (*machine, error) {
	var values pve.Values
	if err := b.conn.Get(ctx, m.snapshotPath(name, "config"), nil, &values); err != nil {
		return nil, err
	}
	hw, err := newHardware(m.hardware.VMID, m.node, m.Pool, vmconf.Config(values))
	if err != nil {
		return nil, &backends.Error{Code: backends.Internal, Err: err}
	}
	then := *m
	then.hardware, then.current, then.pending = hw, hw.Config, nil
	hw.Template = false
	return &then, nil
}
