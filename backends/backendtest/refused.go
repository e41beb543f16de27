package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Refusal shows that a feature is refused where a backend lacks it.
type Refusal struct {
	Feature backends.Feature
	// Doorless says why no call of the seam can ask for the feature, so that
	// there is nothing to refuse; "" otherwise.
	Doorless string
	Run      func(t *testing.T, e *Env)
}

// Refusals returns one probe for each feature that a hypervisor may lack. What
// every hypervisor must have is not in the list: it cannot be Unavailable.
func Refusals() []Refusal {
	return []Refusal{
		calls(backends.FeatureReboot, func(t *testing.T, e *Env) error { return e.SetPower(e.Ctx(t), e.blank(t), backends.Reboot) }),
		calls(backends.FeatureSuspend, func(t *testing.T, e *Env) error { return e.SetPower(e.Ctx(t), e.blank(t), backends.Suspend) }),
		calls(backends.FeaturePause, func(t *testing.T, e *Env) error { return e.SetPower(e.Ctx(t), e.blank(t), backends.Pause) }),
		calls(backends.FeatureTaskStatus, func(t *testing.T, e *Env) error {
			_, err := e.Tasks(e.Ctx(t), backends.TaskFilter{})
			return err
		}),
		calls(backends.FeatureConsoleURL, openConsole),
		calls(backends.FeatureConsoleGeneration, openConsole),
		attribute(backends.FeatureHotCPUAdd, "cpu.max_cores", func(s *backends.VMSpec) { s.CPU.MaxCores = new(int64(4)) }),
		attribute(backends.FeatureHotMemoryAdd, "memory.max_mib", func(s *backends.VMSpec) { s.Memory.MaxMiB = new(int64(1024)) }),
		attribute(backends.FeatureReservations, "cpu.reservation_mhz", func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(100)) }),
		attribute(backends.FeatureLimits, "memory.limit_mib", func(s *backends.VMSpec) { s.Memory.LimitMiB = new(int64(512)) }),
		attribute(backends.FeatureMultipleDisks, `disks["zz"]`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1))})),
		attribute(backends.FeatureThinProvisioning, `disks["zz"].provisioning`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Provisioning: new("thin")})),
		attribute(backends.FeatureThickDisks, `disks["zz"].provisioning`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Provisioning: new("thick")})),
		attribute(backends.FeatureStoragePolicies, `disks["zz"].policy`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Policy: new("gold")})),
		attribute(backends.FeatureStoragePools, `disks["zz"].storage`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Storage: new("pool")})),
		attribute(backends.FeatureVLAN, `networks["lan"].vlan`, withNIC(backends.NIC{VLAN: new(int64(30))})),
		attribute(backends.FeatureStaticIP, `networks["lan"].ipv4`, withNIC(backends.NIC{IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}})),
		attribute(backends.FeatureBridgeNetworks, `networks["lan"].network`, withNIC(backends.NIC{Network: new("bridge:br0")})),
		{Feature: backends.FeatureDistributedSwitches, Run: noDistributed},
		creation(backends.FeatureTemplateDeployment, "template", func(s *backends.VMSpec) { s.Template = "conformance-template" }),
		calls(backends.FeatureClone, clone(false)),
		calls(backends.FeatureFullClone, clone(false)),
		calls(backends.FeatureLinkedClone, clone(true)),
		calls(backends.FeatureSnapshotCreate, snapshot(backends.SnapshotSpec{})),
		calls(backends.FeatureSnapshotMemory, snapshot(backends.SnapshotSpec{Memory: true})),
		calls(backends.FeatureSnapshotQuiesce, snapshot(backends.SnapshotSpec{Quiesce: true})),
		calls(backends.FeatureSnapshotDelete, func(t *testing.T, e *Env) error { return e.DeleteSnapshot(e.Ctx(t), e.blank(t), "s", false) }),
		calls(backends.FeatureSnapshotRevert, func(t *testing.T, e *Env) error { return e.RevertSnapshot(e.Ctx(t), e.blank(t), "s") }),
		calls(backends.FeatureSnapshotTree, func(t *testing.T, e *Env) error {
			_, err := e.ListSnapshots(e.Ctx(t), e.blank(t))
			return err
		}),
		calls(backends.FeatureOVAImport, func(t *testing.T, e *Env) error {
			return e.refuseImport(t, e.imageSpec("ova", ""), appliance(twoDisks(), nil))
		}),
		calls(backends.FeatureImageDownload, func(t *testing.T, e *Env) error {
			return e.refuseImport(t, e.imageSpec("disk", ""), source(raw(), "raw", nil))
		}),
		calls(backends.FeatureImageConversion, func(t *testing.T, e *Env) error {
			spec := e.imageSpec("disk", "")
			spec.Format = new("qcow2")
			return e.refuseImport(t, spec, source(raw(), "raw", nil))
		}),
		calls(backends.FeatureContentLibrary, func(t *testing.T, e *Env) error {
			return e.refuseImport(t, e.imageSpec("template", ""), backends.ImageSource{LibraryItem: "library/item"})
		}),
		doorless(backends.FeatureImageCaching, "a cache is not asked for; without one an image is a Conflict"),
		attribute(backends.FeatureCloudInit, "cloud_init", func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{Hostname: new("x")} }),
		calls(backends.FeatureGuestAgent, askGuest),
		calls(backends.FeatureGuestTools, askGuest),
		calls(backends.FeatureAgentIntegration, askGuest),
		attribute(backends.FeatureGuestCustomization, "customization", func(s *backends.VMSpec) {
			s.Customization = &backends.Customization{Hostname: "x"}
		}),
		{Feature: backends.FeatureGuestMonitoring, Run: noMonitoring},
		calls(backends.FeatureMetrics, readMetrics),
		calls(backends.FeatureEvents, func(t *testing.T, e *Env) error {
			_, err := e.Events(e.Ctx(t), e.blank(t))
			return err
		}),
		attribute(backends.FeatureHighAvailability, "high_availability.enabled", func(s *backends.VMSpec) {
			s.HighAvailability = &backends.HighAvailability{Enabled: new(true)}
		}),
		attribute(backends.FeatureDRS, "drs.automation", func(s *backends.VMSpec) { s.DRSAutomation = new("manual") }),
		attribute(backends.FeatureFaultTolerance, "fault_tolerance", func(s *backends.VMSpec) { s.FaultTolerance = new(true) }),
		calls(backends.FeatureMigration, func(t *testing.T, e *Env) error {
			return e.Migrate(e.Ctx(t), e.blank(t), backends.PlacementSpec{Host: new("another-host")})
		}),
		attribute(backends.FeatureResourcePools, "placement.resource_pool", func(s *backends.VMSpec) { s.Placement.ResourcePool = new("pool") }),
		attribute(backends.FeatureHostPlacement, "placement.host", func(s *backends.VMSpec) { s.Placement.Host = new("host") }),
		attribute(backends.FeatureFolders, "placement.folder", func(s *backends.VMSpec) { s.Placement.Folder = new("folder") }),
		doorless(backends.FeatureAffinityRules, "rules between VMs are no part of a VM's spec"),
		doorless(backends.FeatureHealth, "health is made of what GetVMs reads"),
		doorless(backends.FeatureAlerting, "alarms are no part of the seam"),
		doorless(backends.FeatureHistoricalMetrics, "Metrics has no time to ask for"),
		attribute(backends.FeatureUEFI, "firmware", func(s *backends.VMSpec) { s.Firmware = new("uefi") }),
		attribute(backends.FeatureSecureBoot, "secure_boot", func(s *backends.VMSpec) { s.Firmware, s.SecureBoot = new("uefi"), new(true) }),
		attribute(backends.FeatureTPM, "tpm", func(s *backends.VMSpec) { s.TPM = new(true) }),
		attribute(backends.FeatureNestedVirt, "nested_virtualization", func(s *backends.VMSpec) { s.NestedVirtualization = new(true) }),
		{Feature: backends.FeatureDiskHotplug, Run: notLive(withSecondDisk(backends.Disk{SizeGiB: new(int64(1))}))},
		{Feature: backends.FeatureNICHotplug, Run: notLive(withNIC(backends.NIC{}))},
		attribute(backends.FeatureCDROM, "cdrom.iso", func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "some.iso"} }),
		calls(backends.FeatureDiskVolume, func(t *testing.T, e *Env) error {
			_, err := e.CreateDisk(e.Ctx(t), backends.DiskSpec{Name: e.Name(), Disk: backends.Disk{SizeGiB: new(int64(1))}})
			return err
		}),
		attribute(backends.FeatureHostDevices, `host_devices["gpu"]`, func(s *backends.VMSpec) {
			s.HostDevices = map[string]backends.HostDevice{"gpu": {PCI: "0000:65:00.0"}}
		}),
		{Feature: backends.FeatureDeferredChange, Run: notDeferred},
		attribute(backends.FeatureLibvirtOptions, "libvirt.machine", func(s *backends.VMSpec) {
			s.Libvirt = &backends.LibvirtOptions{Machine: new("q35")}
		}),
		calls(backends.FeatureImageFromVM, func(t *testing.T, e *Env) error {
			WantCode(t, e.refuseImport(t, e.imageSpec("disk", ""), backends.ImageSource{VM: e.blank(t)}), backends.Unsupported)
			return e.refuseImport(t, e.imageSpec("template", ""), backends.ImageSource{VM: e.blank(t)})
		}),
		attribute(backends.FeatureDiskLimits, `disks["zz"].iops_limit`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), IOPSLimit: new(int64(100))})),
		attribute(backends.FeatureNetworkLimits, `networks["lan"].bandwidth_mbps`, withNIC(backends.NIC{BandwidthMbps: new(int64(10))})),
		attribute(backends.FeatureConsoleOptions, "console.type", func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("vnc")} }),
		attribute(backends.FeatureWatchdog, "watchdog", func(s *backends.VMSpec) { s.Watchdog = new("reset") }),
		attribute(backends.FeatureRNG, "rng", func(s *backends.VMSpec) { s.RNG = new(true) }),
		attribute(backends.FeatureVSphereOptions, "vsphere.hardware_version", func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{HardwareVersion: new(int64(19))}
		}),
		attribute(backends.FeatureProxmoxOptions, "proxmox.machine", func(s *backends.VMSpec) {
			s.Proxmox = &backends.ProxmoxOptions{Machine: new("q35")}
		}),
		attribute(backends.FeatureDiskSlot, `disks["zz"].slot`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Slot: new("1:0")})),
		attribute(backends.FeatureDiskSharing, `disks["zz"].shared`, withSecondDisk(backends.Disk{SizeGiB: new(int64(1)), Shared: new(true)})),
	}
}

// always are the features without which nothing is a hypervisor.
var always = []backends.Feature{
	backends.FeatureVMCreate, backends.FeatureVMDelete, backends.FeaturePower, backends.FeatureDescribe,
	backends.FeatureReconfigure, backends.FeatureVMReconfiguration, backends.FeatureCPU, backends.FeatureMemory,
	backends.FeatureDiskCreate, backends.FeatureDiskResize, backends.FeatureNetwork, backends.FeatureMultipleNICs,
	backends.FeatureDHCP,
}

// calls makes a probe of a call that must answer Unsupported.
func calls(f backends.Feature, call func(*testing.T, *Env) error) Refusal {
	return Refusal{Feature: f, Run: func(t *testing.T, e *Env) { WantCode(t, call(t, e), backends.Unsupported) }}
}

func doorless(f backends.Feature, why string) Refusal {
	return Refusal{Feature: f, Doorless: why, Run: func(t *testing.T, e *Env) {
		WantCode(t, e.Catalogue.Require(f, "probe", "nothing"), backends.Unsupported)
	}}
}

// attribute makes a probe of an attribute: the plan, a creation and a change
// that ask for it must all be refused with its path, and change nothing.
func attribute(f backends.Feature, path backends.Path, edit func(*backends.VMSpec)) Refusal {
	create := creation(f, path, edit)
	return Refusal{Feature: f, Run: func(t *testing.T, e *Env) {
		create.Run(t, e)
		id := e.Create(t, e.Spec())
		before := e.Read(t, id, all)
		to := e.desired(t, id)
		edit(to)
		WantCode(t, e.TryApply(t, id, to, backends.Cold), backends.Unsupported)
		e.Matches(t, id, &before.Config)
	}}
}

// creation is attribute for what acts at creation only.
func creation(f backends.Feature, path backends.Path, edit func(*backends.VMSpec)) Refusal {
	return Refusal{Feature: f, Run: func(t *testing.T, e *Env) {
		spec := e.With(edit)
		planned := false
		for _, finding := range backends.Check(e.Catalogue, &backends.VMSpec{}, spec, backends.Requirements(spec), backends.CheckOptions{}) {
			planned = planned || finding.Feature == f && finding.Path == path && finding.Severity == backends.SeverityError
		}
		if !planned {
			t.Errorf("the plan has no error for %s at %s", f, path)
		}
		e.refuseCreate(t, spec, backends.Unsupported)
	}}
}

func withSecondDisk(d backends.Disk) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { s.Disks = withDisk(s, "zz", d).Disks }
}

func withNIC(n backends.NIC) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": n} }
}

// blank makes a stopped VM to try things on.
func (e *Env) blank(t *testing.T) backends.ID { t.Helper(); return e.Create(t, e.Spec()) }

func openConsole(t *testing.T, e *Env) error {
	_, err := e.Console(e.Ctx(t), e.blank(t))
	return err
}

func askGuest(t *testing.T, e *Env) error {
	_, err := e.GuestInfo(e.Ctx(t), e.blank(t))
	return err
}

// noMonitoring: an agent that is asked at all tells nothing of what a guest spends.
func noMonitoring(t *testing.T, e *Env) {
	if !e.Catalogue.Supports(backends.FeatureGuestAgent) {
		WantCode(t, askGuest(t, e), backends.Unsupported)
		return
	}
	if lacksGuest(&e.Harness) != "" {
		WantCode(t, e.Catalogue.Require(backends.FeatureGuestMonitoring, "probe", "nothing"), backends.Unsupported)
		return
	}
	g, err := e.GuestInfo(e.Ctx(t), e.Guest(t))
	if err != nil {
		t.Fatalf("GuestInfo: %v", err)
	}
	if g.FileSystems != nil || g.Users != nil || !g.Time.IsZero() {
		t.Errorf("the agent tells what is said to be unsupported: %+v", g)
	}
}

func readMetrics(t *testing.T, e *Env) error {
	_, err := e.Metrics(e.Ctx(t), []backends.ID{e.blank(t)})
	return err
}

func clone(linked bool) func(*testing.T, *Env) error {
	return func(t *testing.T, e *Env) error {
		id, err := e.CloneVM(e.Ctx(t), &backends.CloneSpec{Source: e.blank(t), Linked: linked, Spec: backends.VMSpec{Name: e.Name()}})
		e.DeleteLater(t, id)
		return err
	}
}

func snapshot(spec backends.SnapshotSpec) func(*testing.T, *Env) error {
	return func(t *testing.T, e *Env) error {
		spec.Name = e.Name()
		_, err := e.CreateSnapshot(e.Ctx(t), e.blank(t), spec)
		return err
	}
}

// refuseImport returns the error of an import, which must leave no image.
func (e *Env) refuseImport(t *testing.T, spec backends.ImageSpec, src backends.ImageSource) error {
	t.Helper()
	_, err := e.ImportImage(e.Ctx(t), spec, src)
	if e.hasImage(t, "", spec.Name) {
		t.Error("the image that was refused is there")
	}
	return err
}

// noDistributed: the inventory shows no network of a distributed switch, so
// there is none to connect to.
func noDistributed(t *testing.T, e *Env) {
	networks, err := e.Networks(e.Ctx(t))
	if err != nil {
		t.Fatalf("Networks: %v", err)
	}
	for _, n := range networks {
		if n.Kind == "distributed" {
			t.Errorf("network %q is of a distributed switch", n.Name)
		}
	}
}

// notLive: what cannot be plugged while the VM runs is not plugged, and the
// plan says that it needs a restart.
func notLive(edit func(*backends.VMSpec)) func(*testing.T, *Env) {
	return func(t *testing.T, e *Env) {
		id := e.blank(t)
		e.Power(t, id, backends.PowerOn)
		from := e.Read(t, id, all)
		to := e.desired(t, id)
		edit(to)
		for _, c := range backends.Diff(&from.Config, to) {
			if !c.PartOfAddition() && e.Catalogue.ImpactOf(&from.Config, to, c).Effect == backends.EffectLive {
				t.Errorf("the plan says that it can %s while the VM runs", c)
			}
		}
		WantCode(t, e.TryApply(t, id, to, backends.Live), backends.Precondition, backends.Unsupported)
	}
}

func notDeferred(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	to := *spec
	to.CPU.Cores = new(int64(2))
	WantCode(t, e.TryApply(t, id, &to, backends.Deferred), backends.Unsupported)
	e.Matches(t, id, spec)
}
