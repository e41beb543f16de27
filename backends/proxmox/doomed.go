package proxmox

import (
	"slices"
	"strings"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// doomed are the VMs whose removal has begun in this process. Proxmox VE gives the VMID of a VM that is gone to the next who asks: who repeats a
// removal must not take that VM for the one that was to go.
type doomed struct {
	mu  sync.Mutex
	who map[backends.ID]string // what they are, by their ids
}

// is reports whether a VM is the one whose removal began under its id; the first that is asked about is.
func (d *doomed) is(m *machine) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.who == nil {
		d.who = map[backends.ID]string{}
	}
	now := m.identity()
	was, begun := d.who[m.id()]
	if !begun || was == "" || now == "" {
		d.who[m.id()] = now
		return true
	}
	return was == now
}

func (d *doomed) forget(id backends.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.who, id)
}

// identity tells a VM from another one with its VMID: its UUID, and when it was made. "" is not known.
func (m *machine) identity() string {
	return strings.TrimSpace(m.Config.UUID() + " " + m.Config["meta"])
}

// knows refuses keys of disks to be kept that the VM does not have, and its mark knows nothing of either: the disk that is meant is among the
// VM's under another key, and would go with it.
func (m *machine) knows(keys []string) error {
	slots := m.diskSlots()
	for _, key := range slices.Sorted(slices.Values(keys)) {
		_, there := slots[key]
		if _, marked := m.marked().Disks[key]; !there && !marked {
			return backends.Errorf(backends.Invalid, "", "", "the VM has no disk %q, which is to be kept; it has %s", key, quoted(sortedKeys(slots))).
				At(backends.Path("disks").Key(key)).Advise("Were the VM's notes in Proxmox VE changed, restore the comment <!-- virtrigaud ... --> at their end. Or detach there what is to stay.")
		}
	}
	return nil
}

// mayKeep reports whether a VM whose mark cannot be read may have volumes that are to outlive it, which only the mark would tell.
func (m *machine) mayKeep() bool {
	notes := m.Config["description"]
	for key, text := range m.Config {
		volume, _, _ := strings.Cut(text, ",")
		switch {
		case vmconf.ParseVolume(volume).Owner() != m.hardware.VMID:
		case strings.HasPrefix(key, "unused"), strings.Contains(notes, `"ext":true`) && strings.Contains(notes, volume):
			return true
		}
	}
	return false
}

// noteKept is a description whose mark says that a volume is to outlive the VM. It is written with what detaches the volume, so that nobody
// who comes later deletes it with the VM, should this be interrupted.
func (m *machine) noteKept(volume string) (*mark, string, error) {
	k := m.Mark.clone(m.hardware.VMID)
	if !slices.Contains(k.Kept, volume) {
		k.Kept = append(k.Kept, volume)
	}
	_, text, err := readMark(m.Config["description"], m.hardware.VMID)
	if err != nil {
		return nil, "", err
	}
	notes, err := k.describe(text)
	if err != nil && k.Seed != nil && k.Seed.Inputs != "" { // what cloud-init was given can be told without, more or less
		k.Seed.Inputs = ""
		notes, err = k.describe(text)
	}
	return k, notes, err
}
