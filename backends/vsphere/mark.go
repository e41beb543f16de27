package vsphere

import (
	"encoding/json"
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// The ownership mark is JSON in two keys of a VM's extraConfig, which vSphere copies to clones and keeps in snapshots.
const (
	markKey = "virtrigaud.mark"
	// settingsKey holds backends.VMSpec.Settings, which is the caller's.
	settingsKey = "virtrigaud.settings"
	markVersion = 1
)

// mark is what vSphere has no place for. A VM without one was made elsewhere.
type mark struct {
	Version int `json:"version"`
	// VM is the instance UUID of the VM that the mark was written for: a clone made by hand
	// carries a copy, which is not its own.
	VM string `json:"vm,omitempty"`
	// Ref is that VM's id, once it is known: vCenter changes an instance UUID that conflicts with another's, and the VM
	// stays the same.
	Ref   string `json:"ref,omitempty"`
	Token string `json:"token,omitempty"` // backends.VMSpec.CreateToken
	// Partial is set while a creation is under way.
	Partial bool `json:"partial,omitempty"`
	// Adopted is set on a VM that was made elsewhere and is managed here.
	Adopted bool `json:"adopted,omitempty"`

	GuestOS  string `json:"guest_os,omitempty"` // as asked: "linux"
	MaxCores int64  `json:"max_cores,omitempty"`
	MaxMiB   int64  `json:"max_mib,omitempty"`
	// Flat is set where each core is a socket of its own, so that cores can be added while the VM runs.
	Flat bool     `json:"flat,omitempty"`
	Tags []string `json:"tags,omitempty"` // on a stand-alone ESXi, which has no tags

	Disks map[string]diskMark `json:"disks,omitempty"` // by key
	NICs  map[string]nicMark  `json:"nics,omitempty"`  // by key

	// HostDevices are the devices of the host by key, as asked.
	HostDevices map[string]backends.HostDevice `json:"host_devices,omitempty"`

	Placement placementMark `json:"placement,omitzero"`

	// Image is the kind of the image that this VM is: "disk", "ova" or "template"; it never runs.
	Image       string `json:"image,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // of the image's content
	Name        string `json:"name,omitempty"`        // of the image, where the VM's differs

	// Origin is the id of the VM whose disks this one's share content with.
	Origin string `json:"origin,omitempty"`

	BootOrder []string `json:"boot_order,omitempty"` // as asked
	// ExtraConfig are the keys that vsphere.extra_config set, Attributes the custom attributes.
	ExtraConfig []string `json:"extra_config,omitempty"`
	Attributes  []string `json:"attributes,omitempty"`

	// Cloned is set where the VM's disks were another's, whose guest has been set up.
	Cloned bool      `json:"cloned,omitempty"`
	Seed   *seedMark `json:"seed,omitempty"`
}

// diskMark remembers a disk by its key.
type diskMark struct {
	Device       int32  `json:"device"`            // VirtualDevice.key, filled in from Slot when read
	Slot         string `json:"slot,omitempty"`    // "scsi0:1"
	UUID         string `json:"uuid,omitempty"`    // of the disk, where it was known when the mark was written
	Keep         bool   `json:"keep,omitempty"`    // keep_on_destroy
	Volume       string `json:"volume,omitempty"`  // Disk.Volume was given: not the VM's own
	Storage      string `json:"storage,omitempty"` // as asked: a datastore cluster, a path
	Provisioning string `json:"provisioning,omitempty"`
	Policy       string `json:"policy,omitempty"`
}

// seedMark remembers how the guest was given its cloud-init data.
type seedMark struct {
	Datasource string `json:"datasource"`    // "guestinfo", "nocloud", or "customization" for vSphere's own
	ISO        string `json:"iso,omitempty"` // datastore path of the seed's medium, whose drive is not the user's
}

// nicMark remembers an interface by its key.
type nicMark struct {
	Device  int32  `json:"device"`            // filled in from Unit when read
	Unit    int32  `json:"unit,omitempty"`    // VirtualDevice.unitNumber on the PCI bus
	Network string `json:"network,omitempty"` // as asked
	Order   *int64 `json:"order,omitempty"`
	// MAC is set where it was asked for.
	MAC bool `json:"mac,omitempty"`
}

// placementMark is the placement as asked: names where vSphere keeps references, and of what was asked only.
type placementMark struct {
	Host         string `json:"host,omitempty"`
	Cluster      string `json:"cluster,omitempty"`
	ResourcePool string `json:"resource_pool,omitempty"`
	Folder       string `json:"folder,omitempty"`
	Storage      string `json:"storage,omitempty"`
}

// readMark returns the mark in a VM's extraConfig, or nil where there is none or it is another VM's.
func readMark(extra []types.BaseOptionValue, instanceUUID string, ref types.ManagedObjectReference) (*mark, error) {
	text, ok := extraValue(extra, markKey)
	if !ok || text == "" {
		return nil, nil
	}
	m := &mark{}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("extraConfig %s of the VM cannot be read: %w", markKey, err)
	}
	if m.Version > markVersion {
		return nil, fmt.Errorf("extraConfig %s of the VM was written by a later version of the provider", markKey)
	}
	if m.VM != "" && instanceUUID != "" && m.VM != instanceUUID && m.Ref != ref.Value {
		return nil, nil
	}
	return m, nil
}

// belongTo notes whose mark it is.
func (m *mark) belongTo(vm *machine) { m.VM, m.Ref = vm.Config.InstanceUuid, vm.Self.Value }

// option returns the mark as what ConfigSpec.ExtraConfig takes.
func (m *mark) option() (types.BaseOptionValue, error) {
	m.Version = markVersion
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return &types.OptionValue{Key: markKey, Value: string(text)}, nil
}

// extraValue returns a value of extraConfig as text.
func extraValue(extra []types.BaseOptionValue, key string) (value string, ok bool) {
	for _, o := range extra {
		if v := o.GetOptionValue(); v.Key == key {
			text, isText := v.Value.(string)
			return text, isText
		}
	}
	return "", false
}
