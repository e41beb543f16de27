package mock

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// world is all that the mock remembers. What it holds is never changed in
// place: a writer puts a changed copy there, so that a reader may look at what
// it found without a lock.
type world struct {
	Seed     int64
	Machines map[backends.ID]*machine
	Images   map[string]*image  // by id
	Volumes  map[string]*volume // disks with a life of their own, by id
	Bases    map[string]*base   // what linked clones share, by id
	// Born counts the VMs that ever had a name, so that none gets the id of
	// another.
	Born    map[string]int
	Tasks   []backends.Task // that ended, oldest first
	Sampled bool            // the sample data were put there once
	Samples int             // which of them: sampleEdition
}

// machine is one VM.
type machine struct {
	ID   backends.ID
	Spec backends.VMSpec // every value known; what the VM has at its next start
	// Active is the configuration that it was started with, where changes wait
	// for the next start.
	Active *backends.VMSpec
	Power  backends.PowerState
	Host   string
	Owned  bool
	// Started is when it last began to run.
	Started time.Time
	Guest   string // the operating system that its agent reports
	// Partial: its creation did not end.
	Partial bool
	// Template: it never runs, and VMs are made of it. Kind and Fingerprint are
	// those of the image that it counts as.
	Template          bool
	Kind, Fingerprint string
	Disks             map[string]disk
	Leases            map[string]string // the DHCP server's, by NIC
	Token             string            // Spec.CreateToken of its creation

	Snapshots []snapshot // oldest first, so parents before children
	Current   string     // id of the snapshot that the VM goes on from
	Taken     int        // snapshots that there ever were, so that no id comes twice
}

// disk is what there is of a VM's disk beside its configuration.
type disk struct {
	Device  string
	Volume  string // id
	Path    string
	Bytes   int64
	Content int64 // that its image holds
	Owned   bool
	origin
}

// volume is a disk with a life of its own.
type volume struct {
	ID, Name   string
	Disk       backends.Disk
	Path       string
	Bytes      int64
	Content    int64
	AttachedTo backends.ID
	Others     []backends.ID // that share it
	origin
}

// image is an image with what it weighs; its bytes are not kept.
type image struct {
	backends.Image
	Data  map[string]string // as of a disk
	Guest string            // the operating system in it; "" is guessed from the name
}

func newWorld(seed int64) *world {
	return &world{
		Seed: seed, Machines: map[backends.ID]*machine{}, Images: map[string]*image{},
		Volumes: map[string]*volume{}, Bases: map[string]*base{}, Born: map[string]int{},
	}
}

// digest derives a number from the seed and what it is for.
func (w *world) digest(parts ...any) [32]byte {
	return sha256.Sum256([]byte(fmt.Sprintln(append([]any{w.Seed}, parts...)...)))
}

// newID makes the id of the next VM of a name, which is its UUID too.
func (w *world) newID(name string) backends.ID {
	d := w.digest("vm", name, w.Born[name])
	d[6], d[8] = d[6]&0x0f|0x40, d[8]&0x3f|0x80
	return backends.ID(fmt.Sprintf("%x-%x-%x-%x-%x", d[0:4], d[4:6], d[6:8], d[8:10], d[10:16]))
}

// idFor is the id that a VM asks for, or a new one.
func (w *world) idFor(spec *backends.VMSpec) (backends.ID, error) {
	if spec.Proxmox == nil || spec.Proxmox.VMID == nil {
		return w.newID(spec.Name), nil
	}
	id := backends.ID(strconv.FormatInt(*spec.Proxmox.VMID, 10))
	if other := w.Machines[id]; other != nil {
		return "", refusal(backends.Conflict, "proxmox.vm_id", "VM %q has the id %s", other.Spec.Name, id)
	}
	return id, nil
}

// newMAC makes a MAC that no VM has.
func (w *world) newMAC(id backends.ID, key string, taken map[string]bool) string {
	for n := 0; ; n++ {
		d := w.digest("mac", id, key, n)
		mac := fmt.Sprintf("52:54:00:%02x:%02x:%02x", d[0], d[1], d[2])
		if !taken[mac] {
			return mac
		}
	}
}

// macs returns the MACs of all VMs but one, with their VMs.
func (w *world) macs(except backends.ID) map[string]*machine {
	taken := map[string]*machine{}
	for id, m := range w.Machines {
		if id == except {
			continue
		}
		for _, n := range m.Spec.Networks {
			taken[value(n.MAC)] = m
		}
	}
	return taken
}

// pick maps a name to one of n, the same one always.
func (w *world) pick(n int, parts ...any) int {
	d := w.digest(parts...)
	return int(binary.BigEndian.Uint32(d[:4]) % uint32(n)) //nolint:gosec // n is small
}

// named finds a VM by name.
func (w *world) named(name string) *machine {
	for _, m := range w.Machines {
		if m.Spec.Name == name {
			return m
		}
	}
	return nil
}

// findImage finds an image by id, or by its name alone.
func (w *world) findImage(id string) *image {
	if im := w.Images[id]; im != nil {
		return im
	}
	for key, im := range w.Images {
		if strings.HasSuffix(key, "/"+id) && im.Name == id {
			return im
		}
	}
	return nil
}

// keptTasks bounds the history.
const keptTasks = 200

func (w *world) record(task backends.Task) {
	w.Tasks = append(w.Tasks[max(0, len(w.Tasks)-keptTasks+1):len(w.Tasks):len(w.Tasks)], task)
}

// observed is the machine as the hypervisor tells it.
func (m *machine) observed(aspects backends.Aspects) backends.VMSpec {
	if aspects&backends.AspectConfig == 0 {
		return backends.VMSpec{Name: m.Spec.Name}
	}
	s := clone(m.Spec)
	if aspects&backends.AspectSeed == 0 {
		s.CloudInit, s.DNS = nil, nil
		for key, n := range s.Networks {
			n.IPv4, n.IPv6 = nil, nil
			s.Networks[key] = n
		}
	}
	return s
}

// now is the configuration that the VM runs with.
func (m *machine) now() *backends.VMSpec {
	if m.Active != nil {
		return m.Active
	}
	return &m.Spec
}

func (m *machine) object() string { return backends.VMObject(m.Spec.Name) }

// stamp is a time as the state file keeps it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
