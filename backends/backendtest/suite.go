// Package backendtest is the conformance suite: what every driver must do, run
// against any backends.Backend.
//
// A driver's test makes a Harness and calls Run. Cases name the features that
// they prove. Run holds the driver to its catalogue both ways: a feature that
// it claims must have a case that ran and passed here, and one that it does not
// support must be refused with the code Unsupported. Nothing is skipped in
// silence: a case that cannot run leaves its claim unproved, and that fails.
//
// The cases use only the seam, wait by reading with a bound, remove what they
// make, and ask for little (one processor, 256 MiB), so that they also run on
// hypervisors whose guests are emulated in software.
package backendtest

import (
	"slices"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Harness is what a driver's test tells of itself.
type Harness struct {
	// New connects. Run calls it once; the Backend is closed when the test ends.
	New func(t *testing.T) backends.Backend
	// Seed names what the hypervisor has.
	Seed Seed
	// BootImage returns the id of an image that boots and starts a guest agent
	// within Timeout, and that takes a host name and a static IPv4 address from
	// cloud-init. It is called at most once in a Run. Nil: there are no guests,
	// and what only a guest can show stays unproved.
	BootImage func(t *testing.T, b backends.Backend) string
	// Faults makes calls fail; nil where the hypervisor cannot be told to.
	Faults Faults
	Traits Traits
	// Timeout bounds each wait of a case; 0 is one minute.
	Timeout time.Duration
}

// Seed names what exists on the hypervisor before the suite runs. What is ""
// the hypervisor lacks; a claim that needs it then has no proof.
type Seed struct {
	// Prefix begins the names of all that the suite makes; "" is "conformance".
	Prefix string

	Network       string // with DHCP
	SecondNetwork string
	BridgeNetwork string // the value for NIC.Network, such as "bridge:br0"
	VLANNetwork   string // one on which a NIC may carry any VLAN
	// TaggedNetworks are, where a network has one tag that its NICs must have, those
	// of the tags 30 and 31, and one without at 0.
	TaggedNetworks     map[int64]string
	DistributedNetwork string
	LimitedNetwork     string // one on which a NIC's bandwidth can be bounded; "" is Network
	// StaticIPv4 is a free address of Network as CIDR, StaticGateway its gateway.
	StaticIPv4, StaticGateway string

	Storage, SecondStorage string // with at least 4 GiB free
	Template               string
	Host, SecondHost       string
	ResourcePool, Folder   string
	Pool                   string                // the value for placement.pool
	StoragePolicy          string                // that Storage obeys
	LibraryItem            string                // LIBRARY/ITEM of which a template can be made
	HostDevices            []backends.HostDevice // each of which a VM can be given
	GuestOS                string                // that the hypervisor can customize the guest of; "" is any

	// MissingVM is a well-formed id that no VM has; "" is a UUID.
	MissingVM backends.ID
}

// Traits says what a driver's guests are.
type Traits struct {
	RealGuest bool // guests really boot: what they report is their own word
	Slow      bool // a boot costs seconds: cases for many VMs use few
	// HotMemory is the least memory, in MiB, of a VM whose memory grows while it runs, and the step in which it does; zero is
	// what any VM has, and 128.
	HotMemory struct{ LeastMiB, StepMiB int64 }
	// SnapshotFormats are the formats of disks that snapshots can be taken of; a disk of any other is in their way. Nil is all.
	SnapshotFormats []string
	// SnapshotsOfAll: no disk can be left out of a snapshot, so that one attached by volume is in its way.
	SnapshotsOfAll bool
	// PlainSnapshotNames: a snapshot's name is an identifier, no words.
	PlainSnapshotNames bool
	// LinkedTemplates: only templates have linked clones.
	LinkedTemplates bool
	// ColdTPM: the state of a TPM cannot be copied while the VM runs.
	ColdTPM bool
	// Unproved lists claims that this substrate cannot show, each with the
	// reason. An entry whose feature a case did prove fails the test, so that
	// the list cannot outlive its reasons.
	Unproved map[backends.Feature]string
}

// Faults makes a backend's calls fail on purpose.
type Faults interface {
	// Fail lets the next n calls of a Backend method, such as "SetPower", that
	// name the VM fail with code.
	Fail(method, vm string, code backends.Code, n int)
}

// Case is one behaviour.
type Case struct {
	Name string
	// Proves lists the features that the case shows to work. It runs where the
	// backend claims all of them and all that it Needs besides.
	Proves []backends.Feature
	Needs  []backends.Feature
	// Lacks says what the harness would have to name for the case to run, or "".
	Lacks func(*Harness) string
	Run   func(t *testing.T, e *Env)
}

// Cases returns every case in the order in which Run takes them.
func Cases() []Case {
	return slices.Concat(
		lifecycleCases, errorCases, notFoundCases, conflictCases, powerCases,
		cpuMemoryCases, diskCases, volumeCases, networkCases, imageCases,
		firmwareCases, placementCases, taskCases, concurrencyCases, cancelCases,
		imageStoreCases, applianceCases, deviceCases, hostDeviceCases, diskPlaceCases, vsphereCases, proxmoxCases, consoleCases,
		snapshotCases, describeCases, snapshotTreeCases, cloneCases, linkedCases, templateCases,
		guestCases, guestInfoCases, cloudInitCases, shutdownCases,
	)
}

// Run runs every case that the backend claims, probes that the rest is refused,
// and then fails for each claim that nothing proved.
func Run(t *testing.T, h Harness) {
	t.Helper()
	e := newEnv(t, h)
	proved := map[backends.Feature][]string{}
	unable := map[backends.Feature][]string{}
	for _, c := range Cases() {
		if !claimsAll(e.Catalogue, c.Proves) || !claimsAll(e.Catalogue, c.Needs) {
			continue
		}
		if c.Lacks != nil {
			if what := c.Lacks(&e.Harness); what != "" {
				for _, f := range c.Proves {
					unable[f] = append(unable[f], c.Name+" needs "+what)
				}
				t.Logf("case %s did not run: the harness has no %s", c.Name, what)
				continue
			}
		}
		passed := false
		t.Run(c.Name, func(t *testing.T) {
			c.Run(t, e)
			passed = !t.Failed() && !t.Skipped()
		})
		if passed {
			for _, f := range c.Proves {
				proved[f] = append(proved[f], c.Name)
			}
		}
	}
	if h.BootImage != nil && !h.Traits.RealGuest {
		t.Log("what guests show was shown by pretended guests")
	}
	refused := map[backends.Feature]bool{}
	for _, p := range Refusals() {
		if e.Catalogue.For(p.Feature).Level != backends.Unavailable {
			continue
		}
		passed := false
		t.Run("refuses/"+string(p.Feature), func(t *testing.T) {
			p.Run(t, e)
			passed = !t.Failed() && !t.Skipped()
		})
		refused[p.Feature] = passed
	}
	t.Run("honesty", func(t *testing.T) {
		for _, complaint := range judge(e.Catalogue, proved, refused, unable, h.Traits.Unproved) {
			t.Error(complaint)
		}
	})
}

func claimsAll(cat backends.Catalogue, features []backends.Feature) bool {
	return !slices.ContainsFunc(features, func(f backends.Feature) bool { return !cat.Supports(f) })
}
