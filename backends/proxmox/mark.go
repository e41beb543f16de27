package proxmox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// The ownership mark is a comment at the end of a VM's description, which is Markdown: Proxmox VE's own pages do not
// show it. The JSON in it holds no ">", so that it cannot end the comment.
const (
	markStart   = "<!-- virtrigaud "
	markEnd     = " -->"
	markVersion = 1
	// maxDescription is what a description can have at most, in characters.
	maxDescription = 8192
)

// mark is what Proxmox VE has no place for. A VM without one was made elsewhere.
type mark struct {
	Version int `json:"v"`
	// VM is the VMID that the mark was written for: a clone made by hand carries a copy, which is not its own.
	VM    int64  `json:"vm"`
	Token string `json:"token,omitempty"` // backends.VMSpec.CreateToken
	// Partial is set while a creation is under way.
	Partial bool `json:"partial,omitempty"`
	// Adopted is set on a VM that was made elsewhere and is managed here.
	Adopted bool `json:"adopted,omitempty"`

	GuestOS        string   `json:"os,omitempty"`      // as asked: "linux"
	Machine        string   `json:"machine,omitempty"` // as asked, without a version: "q35"
	Tags           []string `json:"tags,omitempty"`
	MaxMiB         int64    `json:"max_mib,omitempty"`
	ReservationMiB int64    `json:"reserve_mib,omitempty"` // asked of a VM without a balloon, of which all is reserved
	LimitMHz       int64    `json:"mhz,omitempty"`         // as asked, of which cpulimit is Limit
	Limit          string   `json:"limit,omitempty"`
	Storage        string   `json:"storage,omitempty"` // placement.storage, as asked
	Settings       string   `json:"settings,omitempty"`

	Disks       map[string]diskMark `json:"disks,omitempty"` // by key
	NICs        map[string]nicMark  `json:"nics,omitempty"`  // by key
	HostDevices map[string]string   `json:"host,omitempty"`  // slots by key
	BootOrder   []string            `json:"boot,omitempty"`  // as asked
	Options     []string            `json:"opts,omitempty"`  // names of those that were asked for

	Seed *seedMark `json:"seed,omitempty"`

	// Kept are volumes that are not the VM's any more, and carry its VMID: where an unusedN key still names one, because
	// the VM ran when it was detached, it must not go with the VM.
	Kept []string `json:"kept,omitempty"`

	// Image is the kind of the image that this VM is: "disk", "ova" or "template"; it never runs. Name is the image's
	// and Fingerprint that of its content.
	Image       string `json:"image,omitempty"`
	Name        string `json:"name,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// Cloned is set where the VM's disks were another's, whose guest has been set up.
	Cloned bool `json:"cloned,omitempty"`
	// Origin is the VM with which a linked clone shares content.
	Origin int64 `json:"origin,omitempty"`
	// Quiesced is set in the mark of a snapshot whose file systems were asked to be still.
	Quiesced bool `json:"quiesced,omitempty"`
}

// diskMark remembers a disk by its key.
type diskMark struct {
	Slot     string `json:"at"`
	Volume   string `json:"id,omitempty"`   // what the slot held when the mark was written, as far as it was known
	Base     string `json:"base,omitempty"` // with which that volume shares content, where its name does not tell
	Keep     bool   `json:"keep,omitempty"` // keep_on_destroy
	External bool   `json:"ext,omitempty"`  // Disk.Volume was given: not the VM's own
	// Options are the names of those that were asked for.
	Options []string `json:"opts,omitempty"`
}

// nicMark remembers an interface by its key.
type nicMark struct {
	Slot  string `json:"at"`
	MAC   string `json:"mac,omitempty"` // where it was known when the mark was written
	Order *int64 `json:"order,omitempty"`
	// Options are the names of those that were asked for.
	Options []string `json:"opts,omitempty"`
}

// seedMark remembers what the guest is given for cloud-init.
type seedMark struct {
	Slot   string `json:"at,omitempty"`
	Volume string `json:"iso,omitempty"` // of an ISO that was made; "" where Proxmox VE makes the drive
	// Shared is set where the ISO is another VM's, of which this one is a clone.
	Shared bool   `json:"shared,omitempty"`
	Inputs string `json:"in,omitempty"` // packed cloudinit.Inputs
	// Left names what of the inputs was too long to be kept, with its SHA-256.
	Left map[string]string `json:"left,omitempty"`
}

// readMark splits a description into the mark, nil where there is none or it is another VM's, and the text that
// is its user's. A mark that cannot be read is an error, for to act without it would forget volumes.
func readMark(description string, vmid int64) (m *mark, text string, err error) {
	at := strings.LastIndex(description, markStart)
	if at < 0 {
		return nil, description, nil
	}
	rest := description[at+len(markStart):]
	end := strings.Index(rest, markEnd)
	if end < 0 {
		return nil, description, fmt.Errorf("the ownership mark in the VM's notes is cut off: restore it, or remove it to manage the VM as one that was made elsewhere")
	}
	text = strings.TrimSuffix(description[:at], "\n")
	if after := strings.Trim(rest[end+len(markEnd):], "\n"); after != "" { // somebody wrote below it
		text = strings.TrimPrefix(text+"\n"+after, "\n")
	}
	m = &mark{}
	if err := json.Unmarshal([]byte(rest[:end]), m); err != nil {
		return nil, text, fmt.Errorf("the ownership mark in the VM's notes cannot be read: %w", err)
	}
	if m.Version > markVersion {
		return nil, text, fmt.Errorf("the ownership mark in the VM's notes has version %d, this provider knows %d: use a newer provider", m.Version, markVersion)
	}
	if m.VM != vmid {
		return nil, text, nil
	}
	if m.Settings, err = unpack(m.Settings); err != nil {
		return nil, text, fmt.Errorf("the ownership mark in the VM's notes cannot be read: %w", err)
	}
	return m, text, nil
}

// trail returns a description that ends with the mark, of whatever length.
func (m *mark) trail(text string) (string, error) {
	c := *m
	c.Version, c.Settings = markVersion, pack(m.Settings)
	data, err := json.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("write the ownership mark: %w", err)
	}
	trailer := markStart + string(data) + markEnd
	if text != "" {
		trailer = text + "\n" + trailer
	}
	return trailer, nil
}

// describe returns a description that ends with the mark, or an error where that is longer than Proxmox VE takes of a VM.
func (m *mark) describe(text string) (string, error) {
	trailer, err := m.trail(text)
	if err != nil {
		return "", err
	}
	if over := utf8.RuneCountInString(trailer) - maxDescription; over > 0 {
		return "", backends.Errorf(backends.Invalid, "", "", "the description and what the provider keeps beside it are %d characters longer than the %d that Proxmox VE takes", over, maxDescription).
			At("description").Advise("Shorten description, or the texts in cloud_init: large user data has its place in proxmox.snippets.")
	}
	return trailer, nil
}

// clone returns a mark that can be changed; of nil, an empty one of a VM that was made elsewhere.
func (m *mark) clone(vmid int64) *mark {
	c := mark{VM: vmid, Adopted: true}
	if m != nil {
		c = *m
		c.Tags, c.BootOrder, c.Options = slices.Clone(m.Tags), slices.Clone(m.BootOrder), slices.Clone(m.Options)
		c.Kept = slices.Clone(m.Kept)
		if m.Seed != nil {
			seed := *m.Seed
			seed.Left = maps.Clone(seed.Left)
			c.Seed = &seed
		}
	}
	c.Disks, c.NICs, c.HostDevices = orEmpty(c.Disks), orEmpty(c.NICs), orEmpty(c.HostDevices)
	return &c
}

// except is the mark where the changes of some keys of the configuration did not come about: had tells of those.
func (m *mark) except(keys []string, had *mark) *mark {
	c, had := m.clone(m.VM), had.clone(m.VM)
	for key, d := range c.Disks {
		if slices.Contains(keys, d.Slot) {
			delete(c.Disks, key)
		}
	}
	for key, n := range c.NICs {
		if slices.Contains(keys, n.Slot) {
			delete(c.NICs, key)
		}
	}
	for key, d := range had.Disks {
		if slices.Contains(keys, d.Slot) {
			c.Disks[key] = d
		}
	}
	for key, n := range had.NICs {
		if slices.Contains(keys, n.Slot) {
			c.NICs[key] = n
		}
	}
	return c
}

// forClone is the mark that a clone begins with: what the source's, which may be nil, tells of its hardware, and nothing
// that belongs to the source alone. Disks and interfaces are known by their slots, for volumes and MACs are new.
func (m *mark) forClone(vmid int64, token string) *mark {
	c := m.clone(vmid)
	c.VM, c.Token, c.Cloned = vmid, token, true
	c.Partial, c.Adopted, c.Settings, c.Storage = false, false, "", ""
	c.Image, c.Name, c.Fingerprint, c.Origin, c.Kept = "", "", "", 0, nil
	for key, d := range c.Disks {
		c.Disks[key] = diskMark{Slot: d.Slot, Options: d.Options}
	}
	for key, n := range c.NICs {
		n.MAC = ""
		c.NICs[key] = n
	}
	if c.Seed != nil {
		c.Seed = &seedMark{Slot: c.Seed.Slot, Volume: c.Seed.Volume, Shared: c.Seed.Volume != "", Left: maps.Clone(c.Seed.Left)}
	}
	return c
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}
