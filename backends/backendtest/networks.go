package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var (
	lacksNetwork = lacks("Network", func(s *Seed) string { return s.Network })
	lacksSecond  = lacks("SecondNetwork", func(s *Seed) string { return s.SecondNetwork })
)

var networkCases = []Case{
	{
		Name:   "networks/one",
		Proves: []backends.Feature{backends.FeatureNetwork},
		Lacks:  lacksNetwork,
		Run:    oneNIC,
	},
	{
		Name:   "networks/several",
		Proves: []backends.Feature{backends.FeatureMultipleNICs},
		Lacks:  either(lacksNetwork, lacksSecond),
		Run:    severalNICs,
	},
	{
		Name:   "networks/options",
		Proves: []backends.Feature{backends.FeatureNetwork},
		Lacks:  lacksNetwork,
		Run:    nicOptions,
	},
	{
		Name:   "networks/vlan",
		Proves: []backends.Feature{backends.FeatureVLAN},
		Lacks:  lacks("VLANNetwork or TaggedNetworks", func(s *Seed) string { return s.vlan(30) }),
		Run:    vlan,
	},
	{
		Name:   "networks/bridge",
		Proves: []backends.Feature{backends.FeatureBridgeNetworks},
		Lacks:  lacks("BridgeNetwork", func(s *Seed) string { return s.BridgeNetwork }),
		Run: func(t *testing.T, e *Env) {
			id := e.Create(t, e.withNIC("lan", backends.NIC{Network: new(e.Seed.BridgeNetwork)}))
			e.Power(t, id, backends.PowerOn)
		},
	},
	{
		Name:   "networks/distributed",
		Proves: []backends.Feature{backends.FeatureDistributedSwitches},
		Lacks:  lacks("DistributedNetwork", func(s *Seed) string { return s.DistributedNetwork }),
		Run:    distributed,
	},
}

func either(checks ...func(*Harness) string) func(*Harness) string {
	return func(h *Harness) string {
		for _, check := range checks {
			if what := check(h); what != "" {
				return what
			}
		}
		return ""
	}
}

func (e *Env) withNIC(key string, n backends.NIC) *backends.VMSpec {
	return e.With(func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{key: n} })
}

func withNICs(spec *backends.VMSpec, nics map[string]backends.NIC) *backends.VMSpec {
	c := *spec
	c.Networks = nics
	return &c
}

func oneNIC(t *testing.T, e *Env) {
	networks, err := e.Networks(e.Ctx(t))
	if err != nil {
		t.Fatalf("Networks: %v", err)
	}
	found := false
	for _, n := range networks {
		found = found || n.Name == e.Seed.Network && n.Active && n.Kind != ""
	}
	if !found {
		t.Errorf("the inventory has no active network %q: %+v", e.Seed.Network, networks)
	}

	spec := e.withNIC("lan", backends.NIC{Network: new(e.Seed.Network)})
	id := e.Create(t, spec)
	vm := e.Read(t, id, all)
	mac := vm.Networks["lan"].MAC
	if !macForm(mac) {
		t.Errorf("MAC %q, want lower case with colons", mac)
	}
	if got := vm.Config.Networks["lan"].MAC; got == nil || *got != mac {
		t.Errorf("the configuration has MAC %v, the status %q", got, mac)
	}
	e.Power(t, id, backends.PowerOn)
	e.Power(t, id, backends.PowerOff)
	if after := e.Read(t, id, all).Networks["lan"].MAC; after != mac {
		t.Errorf("the MAC changed from %s to %s over a start", mac, after)
	}
	e.Apply(t, id, withNICs(spec, map[string]backends.NIC{}), backends.Cold)
	if n := e.Read(t, id, all).Networks; len(n) != 0 {
		t.Errorf("networks after the removal: %+v", n)
	}
}

func macForm(s string) bool {
	if len(s) != 17 {
		return false
	}
	for i, r := range s {
		hex := r >= '0' && r <= '9' || r >= 'a' && r <= 'f'
		if i%3 == 2 && r != ':' || i%3 != 2 && !hex {
			return false
		}
	}
	return true
}

func severalNICs(t *testing.T, e *Env) {
	nics := map[string]backends.NIC{
		"lan": {Network: new(e.Seed.Network)},
		"dmz": {Network: new(e.Seed.SecondNetwork), MAC: new("52:54:00:c0:ff:ee")},
	}
	spec := withNICs(e.Spec(), nics)
	id := e.Create(t, spec)
	vm := e.Read(t, id, all)
	if got := vm.Networks["dmz"].MAC; got != "52:54:00:c0:ff:ee" {
		t.Errorf("the MAC that was asked for became %q", got)
	}
	if vm.Networks["lan"].MAC == vm.Networks["dmz"].MAC {
		t.Error("both interfaces have one MAC")
	}

	// Rename, remove and add by key in one step leaves the other one alone.
	lan := vm.Networks["lan"].MAC
	e.Apply(t, id, withNICs(spec, map[string]backends.NIC{
		"lan": {Network: new(e.Seed.Network)},
		"new": {Network: new(e.Seed.SecondNetwork)},
	}), backends.Cold)
	after := e.Read(t, id, all)
	if after.Networks["lan"].MAC != lan || len(after.Networks) != 2 {
		t.Errorf("networks after the change: %+v, want lan to keep %s", after.Networks, lan)
	}

	// Another network for the same interface keeps its MAC.
	e.Apply(t, id, withNICs(spec, map[string]backends.NIC{
		"lan": {Network: new(e.Seed.SecondNetwork)},
		"new": {Network: new(e.Seed.SecondNetwork)},
	}), backends.Cold)
	if got := e.Read(t, id, all).Networks["lan"].MAC; got != lan {
		t.Errorf("the MAC changed from %s to %s with the network", lan, got)
	}
}

// nicOptions asks for each model that the catalogue lists, and for the rest.
func nicOptions(t *testing.T, e *Env) {
	nics := map[string]backends.NIC{
		"off": {Network: new(e.Seed.Network), Connected: new(false)},
	}
	if e.has("networks.mtu") {
		nics["mtu"] = backends.NIC{Network: new(e.Seed.Network), MTU: new(int64(1400))}
	}
	for _, model := range e.Catalogue.Accepts["networks.model"] {
		nics[model] = backends.NIC{Network: new(e.Seed.Network), Model: &model}
	}
	spec := withNICs(e.Spec(), nics)
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	nics["off"] = backends.NIC{Network: new(e.Seed.Network), Connected: new(true)}
	e.Apply(t, id, spec, backends.Live)
}

// vlan names the network on which a NIC may carry a tag.
func (s *Seed) vlan(tag int64) string {
	if name, ok := s.TaggedNetworks[tag]; ok {
		return name
	}
	return s.VLANNetwork
}

func vlan(t *testing.T, e *Env) {
	tagged := func(tag int64) map[string]backends.NIC {
		return map[string]backends.NIC{"lan": {Network: new(e.Seed.vlan(tag)), VLAN: &tag}}
	}
	spec := withNICs(e.Spec(), tagged(30))
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	e.Power(t, id, backends.PowerOff)
	e.Apply(t, id, withNICs(spec, tagged(31)), backends.Cold)
	e.Apply(t, id, withNICs(spec, tagged(0)), backends.Cold)
	if tag := e.Read(t, id, backends.AspectConfig).Config.Networks["lan"].VLAN; tag != nil && *tag != 0 {
		t.Errorf("the tag that was taken away is %d", *tag)
	}
	if e.Seed.TaggedNetworks != nil {
		other := backends.NIC{Network: new(e.Seed.vlan(30)), VLAN: new(int64(31))}
		err := e.refuseCreate(t, e.withNIC("lan", other), backends.Invalid)
		wantPath(t, err, `networks["lan"].vlan`)
	}
}

func distributed(t *testing.T, e *Env) {
	networks, err := e.Networks(e.Ctx(t))
	if err != nil {
		t.Fatalf("Networks: %v", err)
	}
	kind := ""
	for _, n := range networks {
		if n.Name == e.Seed.DistributedNetwork {
			kind = n.Kind
		}
	}
	if kind != "distributed" {
		t.Errorf("network %q is of kind %q, want \"distributed\"", e.Seed.DistributedNetwork, kind)
	}
	id := e.Create(t, e.withNIC("lan", backends.NIC{Network: new(e.Seed.DistributedNetwork)}))
	e.Power(t, id, backends.PowerOn)
}
