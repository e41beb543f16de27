package vmschema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func ptr[T any](v T) *T { return &v }

func wired(power backends.PowerState, guest *backends.Guest, addresses map[string][]string) *backends.VM {
	vm := &backends.VM{ID: "1", Power: power, Guest: guest, Networks: map[string]backends.NICStatus{}}
	vm.Config.Name = "web"
	vm.Config.Networks = map[string]backends.NIC{}
	for key, a := range addresses {
		vm.Config.Networks[key] = backends.NIC{}
		vm.Networks[key] = backends.NICStatus{MAC: "52:54:00:00:00:01", Addresses: a}
	}
	return vm
}

func TestAddresses(t *testing.T) {
	answering := &backends.Guest{AgentRunning: true}
	two := map[string][]string{"lan": {"10.0.0.5", "2001:db8::5"}, "wan": {"192.0.2.7"}}
	none := map[string][]string{"lan": nil, "wan": nil}
	before := Flatten(wired(backends.Running, answering, two), backends.Mock, nil)

	for name, test := range map[string]struct {
		now   *backends.VM
		wait  *WaitFor
		first *string
		all   []string
	}{
		"reported":                       {wired(backends.Running, answering, two), nil, ptr("10.0.0.5"), []string{"10.0.0.5", "2001:db8::5", "192.0.2.7"}},
		"kept while the agent is silent": {wired(backends.Running, nil, none), nil, ptr("10.0.0.5"), []string{"10.0.0.5", "2001:db8::5", "192.0.2.7"}},
		"gone when the agent says so":    {wired(backends.Running, answering, none), nil, nil, []string{}},
		"gone with the power":            {wired(backends.Stopped, nil, none), nil, nil, []string{}},
		"chosen by network":              {wired(backends.Running, answering, two), &WaitFor{Network: ptr("wan")}, ptr("192.0.2.7"), []string{"10.0.0.5", "2001:db8::5", "192.0.2.7"}},
		"chosen by cidr":                 {wired(backends.Running, answering, two), &WaitFor{CIDR: ptr("2001:db8::/32")}, ptr("2001:db8::5"), []string{"10.0.0.5", "2001:db8::5", "192.0.2.7"}},
		"not chosen by cidr":             {wired(backends.Running, answering, two), &WaitFor{CIDR: ptr("172.16.0.0/12")}, ptr("10.0.0.5"), []string{"10.0.0.5", "2001:db8::5", "192.0.2.7"}},
	} {
		t.Run(name, func(t *testing.T) {
			prior := *before
			prior.WaitFor = test.wait
			got := Flatten(test.now, backends.Mock, &prior)
			if d := cmp.Diff(test.first, got.IPAddress); d != "" {
				t.Errorf("ip_address (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.all, got.IPAddresses); d != "" {
				t.Errorf("ip_addresses (-want +got):\n%s", d)
			}
		})
	}
}

func TestAddressesFollowTheOrderOfInterfaces(t *testing.T) {
	vm := wired(backends.Running, nil, map[string][]string{"a": {"10.0.0.1"}, "b": {"10.0.0.2"}})
	vm.Config.Networks["a"] = backends.NIC{Order: ptr(int64(1))}
	vm.Config.Networks["b"] = backends.NIC{Order: ptr(int64(0))}
	if got := *Flatten(vm, backends.Mock, nil).IPAddress; got != "10.0.0.2" {
		t.Errorf("ip_address is %s, want that of the interface with order 0", got)
	}
}

func TestGuestKeepsWhatItSaid(t *testing.T) {
	said := Flatten(wired(backends.Running, &backends.Guest{Hostname: "web", OS: "Debian", AgentRunning: true}, nil), backends.Mock, nil)
	got := Flatten(wired(backends.Running, nil, nil), backends.Mock, said).Guest
	if *got.Hostname != "web" || *got.OS != "Debian" || *got.AgentRunning {
		t.Errorf("guest of a silent agent is %+v", got)
	}
}

func TestEmptyDriveIsNoDifference(t *testing.T) {
	vm := wired(backends.Running, nil, nil)
	vm.Config.CDROM = &backends.CDROM{}
	if got := Flatten(vm, backends.Mock, nil).CDROM; got != nil {
		t.Errorf("an empty drive is imported as %+v", got)
	}
	vm.Config.CDROM.ISO = "rescue.iso"
	if got := Flatten(vm, backends.Mock, nil).CDROM; got == nil || *got.ISO != "rescue.iso" {
		t.Errorf("a medium is imported as %+v", got)
	}
}

func TestMACIsCanonical(t *testing.T) {
	got := expandNetworks(map[string]*NIC{"lan": {MAC: ptr("52-54-00-AB-CD-EF")}})["lan"].MAC
	if *got != "52:54:00:ab:cd:ef" {
		t.Errorf("MAC reaches the hypervisor as %s", *got)
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"web-01": true, "a": true, "Web Server 1": true, "db_1.example.com": true, "größe": true,
		"": false, " web": false, "web ": false, "a/b": false, `a"b`: false, "a<b": false, "a\nb": false, "a%b": false,
	} {
		if got := accepts(t, vmName, name); got != valid {
			t.Errorf("name %q accepted: %v, want %v", name, got, valid)
		}
	}
}
