package vmschema

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Common is what a VM is, whatever it was made from.
type Common struct {
	General
	CPU              *CPU                   `tfsdk:"cpu"`
	Memory           *Memory                `tfsdk:"memory"`
	Disks            map[string]*Disk       `tfsdk:"disks"`
	CDROM            *CDROM                 `tfsdk:"cdrom"`
	Networks         map[string]*NIC        `tfsdk:"networks"`
	Placement        *Placement             `tfsdk:"placement"`
	HighAvailability *HighAvailability      `tfsdk:"high_availability"`
	FaultTolerance   *bool                  `tfsdk:"fault_tolerance"`
	DRS              *DRS                   `tfsdk:"drs"`
	HostDevices      map[string]*HostDevice `tfsdk:"host_devices"`
	Libvirt          *Libvirt               `tfsdk:"libvirt"`
	VSphere          *VSphere               `tfsdk:"vsphere"`
	Proxmox          *Proxmox               `tfsdk:"proxmox"`
	PowerState       *string                `tfsdk:"power_state"`
	Observed
}

// Managed is what Terraform adds to a VM that it manages.
type Managed struct {
	Linked        *bool          `tfsdk:"linked"`
	Console       *Console       `tfsdk:"console"`
	DNS           *DNS           `tfsdk:"dns"`
	CloudInit     *CloudInit     `tfsdk:"cloud_init"`
	Customization *Customization `tfsdk:"customization"`
	Shutdown      *Shutdown      `tfsdk:"shutdown"`
	WaitFor       *WaitFor       `tfsdk:"wait_for"`
	Lifecycle
}

// Attributes are those of a managed VM and of what it is made from.
func Attributes(ctx context.Context, mode Mode) map[string]schema.Attribute {
	all := commonAttributes()
	maps.Copy(all, managedAttributes(ctx))
	if mode == Inherit {
		maps.Copy(all, originAttributes())
		inherit(all)
		return all
	}
	maps.Copy(all, sourceAttributes())
	return all
}

func commonAttributes() map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"cpu":          cpuAttribute(),
		"memory":       memoryAttribute(),
		"disks":        disksAttribute(),
		"cdrom":        cdromAttribute(),
		"networks":     networksAttribute(),
		"placement":    placementAttribute(),
		"host_devices": hostDevicesAttribute(),
		"libvirt":      libvirtAttribute(),
		"vsphere":      vsphereAttribute(),
		"proxmox":      proxmoxAttribute(),
	}
	maps.Copy(all, generalAttributes())
	maps.Copy(all, availabilityAttributes())
	maps.Copy(all, observedAttributes())
	all["power_state"] = powerAttributes()["power_state"]
	noticeEmpty(all, "cpu", "memory", "placement", "high_availability", "drs", "libvirt", "vsphere", "proxmox")
	return all
}

func managedAttributes(ctx context.Context) map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"console":       consoleAttribute(),
		"dns":           dnsAttribute(),
		"cloud_init":    cloudInitAttribute(),
		"customization": customizationAttribute(),
		"shutdown":      powerAttributes()["shutdown"],
		"wait_for":      waitForAttribute(),
	}
	maps.Copy(all, lifecycleAttributes(ctx))
	noticeEmpty(all, "console", "dns", "customization", "shutdown", "timeouts")
	return all
}

// Spec is what the model asks of a hypervisor.
func (m *VM) Spec() *backends.VMSpec {
	spec := &backends.VMSpec{
		Image:          value(m.Image),
		Template:       value(m.Template),
		Linked:         value(m.Linked),
		Disks:          expandDisks(m.Disks),
		Networks:       expandNetworks(m.Networks),
		FaultTolerance: m.FaultTolerance,
		HostDevices:    expandHostDevices(m.HostDevices),
		Settings:       m.settings(),
	}
	m.General.expand(spec)
	m.CPU.expand(spec)
	m.Memory.expand(spec)
	m.CDROM.expand(spec)
	m.Console.expand(spec)
	m.DNS.expand(spec)
	m.CloudInit.expand(spec)
	m.Customization.expand(spec)
	m.Placement.expand(spec)
	m.HighAvailability.expand(spec)
	m.DRS.expand(spec)
	m.Libvirt.expand(spec)
	m.VSphere.expand(spec)
	m.Proxmox.expand(spec)
	return spec
}

// Flatten is the model of what a hypervisor says, over what state had. Nil for
// prior adopts the VM: it is seen for the first time, so what was never
// configured here is taken from it too.
func Flatten(vm *backends.VM, kind backends.Kind, prior *VM) *VM {
	adopting := prior == nil
	p := value(prior)
	m := p
	m.Common = flattenCommon(vm, kind, p.Common, p.WaitFor, adopting)
	m.Console = flattenConsole(vm.Config.Console, p.Console)
	if p.Inherits() { // also what nobody put into the drive here
		m.CDROM = flattenCDROM(vm.Config.CDROM, p.CDROM, true)
	}
	if adopting {
		m.adopt(&vm.Config)
		m.address(m.Networks, m.WaitFor) // which address counts is only known now
	}
	return &m
}

func flattenCommon(vm *backends.VM, kind backends.Kind, p Common, wait *WaitFor, adopting bool) Common {
	c := &vm.Config
	m := Common{
		General:          flattenGeneral(c, p.General),
		CPU:              flattenCPU(c.CPU, p.CPU),
		Memory:           flattenMemory(c.Memory, p.Memory),
		Disks:            flattenDisks(vm, p.Disks),
		CDROM:            flattenCDROM(c.CDROM, p.CDROM, adopting),
		Networks:         flattenNetworks(vm, p.Networks, adopting),
		Placement:        flattenPlacement(c.Placement, p.Placement),
		HighAvailability: flattenHA(c.HighAvailability, p.HighAvailability),
		FaultTolerance:   or(c.FaultTolerance, p.FaultTolerance),
		DRS:              flattenDRS(c.DRSAutomation, p.DRS),
		HostDevices:      flattenHostDevices(c.HostDevices, p.HostDevices),
		Libvirt:          flattenLibvirt(c.Libvirt, p.Libvirt),
		VSphere:          flattenVSphere(c.VSphere, p.VSphere),
		Proxmox:          flattenProxmox(c.Proxmox, p.Proxmox),
		PowerState:       powerState(vm.Power, p.PowerState),
		Observed:         flattenObserved(vm, kind, p.Observed),
	}
	m.address(m.Networks, wait)
	return m
}

// powerState is the observed state; where nobody knows it, the one before.
func powerState(observed backends.PowerState, prior *string) *string {
	if observed == "" || observed == backends.Unknown {
		return prior
	}
	return some(string(observed))
}

// adopt takes over what only the seed and the ownership mark tell, and the
// defaults of what no hypervisor knows.
func (m *VM) adopt(c *backends.VMSpec) {
	k := readSettings(c.Settings)
	m.Image, m.Template, m.Linked = some(c.Image), some(c.Template), some(c.Linked)
	m.DNS = flattenDNS(c.DNS, nil)
	if !k.InheritsSeed {
		m.CloudInit = flattenCloudInit(c.CloudInit, nil)
	}
	if k.EmptyDrive && m.CDROM == nil {
		m.CDROM = &CDROM{}
	}
	if k.Console {
		m.Console = flattenConsole(c.Console, &Console{})
	}
	m.Customization = flattenCustomization(c.Customization, nil)
	m.restore(k)
}

// InputOnly reports whether a hypervisor never fills an attribute in, so that
// what is not configured is null and not "known after apply".
func InputOnly(p backends.Path) bool {
	steps := p.Steps()
	switch steps[0].Name {
	case "dns", "cloud_init", "customization", "image", "template", "linked":
		return true
	}
	switch p.Generic() {
	case "disks.volume", "disks.policy":
		return true
	}
	return false
}
