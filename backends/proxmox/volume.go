package proxmox

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// A volume belongs to the VM whose VMID is in its name, and goes with it. Disks with a life of their own have one in their names that
// no VM has: the highest, which is never given to a new VM. Such a disk is "local-lvm:vm-999999999-NAME".
const volumeOwner = lastID

// holderKind marks a VM that is there for a moment to grow a volume: Proxmox VE grows what VMs have.
const holderKind = "holder"

// maxVolumeName is how long the name of a volume may be: names of logical volumes end at 127 characters.
const maxVolumeName = 100

var volumeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*$`)

// CreateDisk makes a disk that belongs to no VM. Its id is its volume id, which stays whatever VM attaches it.
func (b *Backend) CreateDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	v, err := b.createDisk(ctx, spec)
	return v, fault.Wrap(err, "create", backends.DiskObject(spec.Name))
}

func (b *Backend) createDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	var none backends.Volume
	d := spec.Disk
	switch {
	case len(spec.Name) > maxVolumeName || !volumeName.MatchString(spec.Name):
		return none, invalid("name", "%q cannot be in the name of a volume: it takes up to %d letters, digits and any of _ . + -", spec.Name, maxVolumeName)
	case formatOfName(spec.Name) != "":
		return none, invalid("name", "%q ends like the name of a file, and Proxmox VE takes %s for the disk's format", spec.Name, formatOfName(spec.Name))
	case d.Volume != nil:
		return none, invalid("volume", "a new disk is made, and cannot be one that exists")
	case d.SizeGiB == nil:
		return none, invalid("size_gib", "a new disk needs a size")
	case *d.SizeGiB < 1:
		return none, invalid("size_gib", "%d GiB is less than 1", *d.SizeGiB)
	}
	if err := checkDisk(d, ""); err != nil {
		return none, err
	}
	at, err := b.land(ctx, d.Storage, "images", func(f storageFacts) (attr, why string) { return f.suits(d) })
	if err != nil {
		return none, err
	}
	release, ok := b.making.name("disk " + at.storage + ":" + spec.Name)
	if !ok {
		return none, backends.Errorf(backends.Conflict, "", "", "another disk of this name is being made").At("name")
	}
	defer release()
	format := at.facts.formatOn(d)
	name := "vm-" + strconv.FormatInt(volumeOwner, 10) + "-" + spec.Name
	v := vmconf.Volume{Storage: at.storage, Name: name}
	if at.facts.files() {
		name += "." + format
		v.Name = strconv.FormatInt(volumeOwner, 10) + "/" + name
	}
	if err := b.freeName(ctx, at.storage, spec.Name); err != nil {
		return none, err
	}
	form := map[string]any{"vmid": int64(volumeOwner), "filename": name, "size": strconv.FormatInt(*d.SizeGiB, 10) + "G"}
	if format != "" {
		form["format"] = format
	}
	var made pve.Text
	_, err = b.conn.Run(ctx, "create", backends.DiskObject(spec.Name), func(ctx context.Context) (string, error) {
		return "", b.conn.Post(ctx, pve.Path("nodes", at.node, "storage", at.storage, "content"), form, &made)
	})
	if err != nil {
		if ctx.Err() != nil || backends.CodeOf(err) == backends.Transient { // it may have been made
			b.discardDisk(ctx, at.node, v.String())
		}
		return none, err
	}
	got, err := b.getDisk(ctx, string(made))
	if err != nil { // it is there all the same
		got = backends.Volume{ID: string(made), Name: spec.Name, Path: string(made), Disk: backends.Disk{
			SizeGiB: d.SizeGiB, Storage: &at.storage, Format: new(v.Format()), Provisioning: new(at.facts.provisioning()),
		}}
	}
	return got, err
}

// discardDisk removes a disk of whose creation it is not known whether it took place, unless a VM has it.
func (b *Backend) discardDisk(ctx context.Context, node, volume string) {
	ctx, cancel := tidying(ctx)
	defer cancel()
	if users, err := b.users(ctx, volume, nil); err == nil && len(users) == 0 {
		_ = b.freeVolume(ctx, node, volume) // that it could not be made is what is told
	}
}

// freeName refuses a name that another disk has on the storage, in whatever format and on whatever node.
func (b *Backend) freeName(ctx context.Context, storage, name string) error {
	nodes, _, err := b.onlineNodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		rows, err := b.storageRows(ctx, node)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if string(r.Storage) != storage {
				continue
			}
			there, err := b.content(ctx, node, storage, url.Values{"vmid": {strconv.FormatInt(volumeOwner, 10)}, "content": {"images"}})
			if err != nil {
				return err
			}
			for _, v := range there {
				if volumeTitle(string(v.VolID)) == name {
					return backends.Errorf(backends.Conflict, "", "", "the storage %q has the volume %q already", storage, v.VolID).At("name").
						Advise("Choose another name, or bring the existing disk under management with: terraform import ADDRESS %s", v.VolID)
				}
			}
			if bool(r.Shared) {
				return nil
			}
		}
	}
	return nil
}

// volumeTitle is the name that a disk was given, or that of its volume.
func volumeTitle(id string) string {
	name := vmconf.ParseVolume(id).Name
	name = name[strings.LastIndex(name, "/")+1:]
	rest, ok := strings.CutPrefix(name, "vm-"+strconv.FormatInt(volumeOwner, 10)+"-")
	if !ok {
		return name
	}
	return strings.TrimSuffix(rest, formatOfName(rest))
}

// formatOfName is the ending of a name that says in which format a volume is, or "".
func formatOfName(name string) string {
	for _, ending := range []string{".qcow2", ".raw", ".vmdk", ".subvol"} {
		if strings.HasSuffix(name, ending) {
			return ending
		}
	}
	return ""
}

// GetDisk reads a disk by its volume id, also one that is a VM's own. Which VM has it is found by a read of all configurations.
func (b *Backend) GetDisk(ctx context.Context, id string) (backends.Volume, error) {
	v, err := b.getDisk(ctx, id)
	return v, fault.Wrap(err, "read", backends.DiskObject(id))
}

func (b *Backend) getDisk(ctx context.Context, id string) (backends.Volume, error) {
	l, err := b.locate(ctx, id)
	if err != nil {
		return backends.Volume{}, err
	}
	if l.Content != "images" {
		return backends.Volume{}, noVolume(id)
	}
	users, err := b.users(ctx, id, l.nodes())
	if err != nil && backends.CodeOf(err) != backends.Transient { // a node that is down keeps nobody from looking at a disk
		return backends.Volume{}, err
	}
	configs, err := b.storageConfigs(ctx)
	if err != nil {
		return backends.Volume{}, err
	}
	storage := vmconf.ParseVolume(id).Storage
	facts := storageFacts{Type: l.kind, Sparse: bool(configs[storage].Sparse), Preallocation: string(configs[storage].Preallocation)}
	v := backends.Volume{
		ID: id, Name: volumeTitle(id), Path: id,
		Disk: backends.Disk{
			SizeGiB: new(max(int64(l.Size)/vmconf.GiB, 1)), Storage: &storage, Format: new(string(l.Format)), Provisioning: new(facts.provisioning()),
		},
	}
	for _, u := range users {
		if !u.holds() {
			v.AttachedTo = idOf(u.vmid)
			break
		}
	}
	return v, nil
}

// ResizeDisk grows a disk, online where a VM that runs has it.
func (b *Backend) ResizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	return fault.Wrap(b.resizeDisk(ctx, id, sizeGiB), "grow", backends.DiskObject(id))
}

func (b *Backend) resizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	l, err := b.locate(ctx, id)
	if err != nil {
		return err
	}
	bytes := sizeGiB * vmconf.GiB
	switch {
	case bytes < int64(l.Size):
		return invalid("size_gib", "a disk cannot shrink (it has %d bytes): that would cut off data", int64(l.Size))
	case bytes == int64(l.Size):
		return nil
	}
	users, err := b.released(ctx, id, l, false)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u user) bool { return u.idle })
	if len(users) > 0 {
		u := users[0]
		return b.resize(ctx, u.node, u.vmid, resize{Slot: u.slot, Bytes: bytes, Path: "size_gib"})
	}
	return b.growFree(ctx, id, l.node, bytes)
}

// growFree grows a disk that no VM has: a VM that does nothing else gets it for a moment. That is never the one whose VMID the volume carries: the
// volume would be its own, and go with it.
func (b *Backend) growFree(ctx context.Context, id, node string, bytes int64) error {
	defer b.estate.changed()
	owner := vmconf.ParseVolume(id).Owner()
	vmid, err := b.allocate(ctx, "", nil, func(ctx context.Context, vmid int64) error {
		if vmid == owner {
			return fault.ErrTaken
		}
		text, err := (&mark{VM: vmid, Partial: true, Image: holderKind}).describe("It grows a disk, and is gone then.")
		if err != nil {
			return err
		}
		form := map[string]any{"vmid": vmid, "name": "virtrigaud-grow-" + strconv.FormatInt(vmid, 10), "description": text, "memory": 16, holderSlot: id}
		if b.cfg.Pool != "" {
			form["pool"] = b.cfg.Pool
		}
		_, err = b.conn.Task(ctx, "grow", backends.DiskObject(id), "POST", pve.Path("nodes", node, "qemu"), form)
		return err
	})
	if err == nil {
		err = b.resize(ctx, node, vmid, resize{Slot: holderSlot, Bytes: bytes, Path: "size_gib"})
	}
	if vmid == 0 {
		return err
	}
	away, cancel := tidying(ctx)
	defer cancel()
	if dropErr := b.dropHolder(away, node, vmid, id); err == nil && backends.CodeOf(dropErr) != backends.NotFound {
		return dropErr
	}
	return err
}

// holderSlot is where a VM that holds a volume has it.
const holderSlot = "scsi0"

// dropHolder removes a VM that holds a volume, if it is one, and the volume is this one. The volume is not the VM's own, and stays.
func (b *Backend) dropHolder(ctx context.Context, node string, vmid int64, volume string) error {
	b.estate.changed()
	m, err := b.machine(ctx, idOf(vmid))
	if err != nil {
		return err
	}
	if m.Mark == nil || m.Mark.Image != holderKind || m.Config.Drive(holderSlot).Volume() != volume || vmconf.ParseVolume(volume).Owner() == vmid {
		return nil
	}
	defer b.estate.changed()
	_, err = b.conn.Task(ctx, "delete", m.object(), "DELETE", pve.Path("nodes", node, "qemu", vmid), map[string]any{"destroy-unreferenced-disks": false})
	return err
}

// released are the VMs that name a volume, see mentions. VMs that were to grow it, and were left, are removed.
func (b *Backend) released(ctx context.Context, id string, l *located, past bool) ([]user, error) {
	all, err := b.mentions(ctx, id, l.nodes(), past)
	if err != nil {
		return nil, err
	}
	var users []user
	for _, u := range all {
		if !u.holds() {
			users = append(users, u)
			continue
		}
		if err := b.dropHolder(ctx, u.node, u.vmid, id); err != nil && backends.CodeOf(err) != backends.NotFound {
			return nil, err
		}
	}
	return users, nil
}

// DeleteDisk removes a disk that no VM has.
func (b *Backend) DeleteDisk(ctx context.Context, id string) error {
	return fault.Wrap(b.deleteDisk(ctx, id), "delete", backends.DiskObject(id))
}

func (b *Backend) deleteDisk(ctx context.Context, id string) error {
	l, err := b.locate(ctx, id)
	if err != nil {
		return err
	}
	if l.Content != "images" {
		return noVolume(id)
	}
	users, err := b.released(ctx, id, l, true)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u user) bool { return u.idle })
	if err := needed(users, "attached to", "Detach it there first."); err != nil {
		return err
	}
	return b.freeVolume(ctx, l.node, id)
}

// needed refuses to remove what VMs, or snapshots of them, have.
func needed(users []user, how, remedy string) error {
	live := slices.DeleteFunc(slices.Clone(users), func(u user) bool { return u.snapshot != "" })
	switch {
	case len(live) > 0:
		return backends.Errorf(backends.Precondition, "", "", "it is %s %s", how, names(live)).Advise("%s", remedy)
	case len(users) > 0:
		return backends.Errorf(backends.Precondition, "", "", "%s cannot be reverted to without it", names(users)).Advise("Delete such snapshots first.")
	}
	return nil
}
