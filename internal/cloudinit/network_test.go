package cloudinit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func ethernets(t *testing.T, spec *backends.VMSpec, nics ...NIC) map[string]any {
	t.Helper()
	m, ok := decodeMap(render(t, Input{Spec: spec, NICs: nics}).NetworkConfig)
	if !ok || m["version"] != 2 {
		t.Fatalf("not version 2: %v", m)
	}
	return m["ethernets"].(map[string]any)
}

func TestNetwork_dhcpOnEach(t *testing.T) {
	got := ethernets(t, &backends.VMSpec{}, NIC{"b", "52:54:00:00:00:01"}, NIC{"a", "52:54:00:00:00:02"})
	want := map[string]any{
		"b": map[string]any{"match": map[string]any{"macaddress": "52:54:00:00:00:01"}, "set-name": "b", "dhcp4": true},
		// Boot must not wait for a second network that may have no DHCP.
		"a": map[string]any{"match": map[string]any{"macaddress": "52:54:00:00:00:02"}, "set-name": "a", "dhcp4": true, "optional": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNetwork_dnsFollowsTheDefaultRoute(t *testing.T) {
	static := backends.NIC{IPv4: &backends.IPConfig{Address: "10.0.0.5/24"}}
	routed := backends.NIC{IPv4: &backends.IPConfig{Address: "10.0.0.6/24", Gateway: "10.0.0.1"}}
	dhcp := backends.NIC{}
	off := backends.NIC{Connected: p(false)}
	for _, tt := range []struct {
		name string
		nics []backends.NIC
		want string
	}{
		{"only static", []backends.NIC{static, static}, "n0"},
		{"gateway", []backends.NIC{static, dhcp, routed}, "n2"},
		{"DHCP", []backends.NIC{static, dhcp, dhcp}, "n1"},
		{"unplugged", []backends.NIC{off, dhcp}, "n1"},
	} {
		spec := &backends.VMSpec{Networks: map[string]backends.NIC{}, DNS: &backends.DNS{Servers: []string{"10.0.0.53"}}}
		var nics []NIC
		for i, nic := range tt.nics {
			key := "n" + string(rune('0'+i))
			spec.Networks[key] = nic
			nics = append(nics, NIC{key, "52:54:00:00:00:0" + key[1:]})
		}
		for key, e := range ethernets(t, spec, nics...) {
			if _, has := e.(map[string]any)["nameservers"]; has != (key == tt.want) {
				t.Errorf("%s: nameservers on %s: %v", tt.name, key, has)
			}
		}
	}
}

func TestNetwork_ownConfigReplaces(t *testing.T) {
	own := "version: 1\nconfig: []\n"
	in := full()
	in.Spec.CloudInit.NetworkConfig = &own
	if got := render(t, in).NetworkConfig; got != own {
		t.Errorf("got %q", got)
	}
}

func TestNetwork_noMAC(t *testing.T) {
	if _, err := Render(Input{NICs: []NIC{{Key: "lan"}}}); err == nil || !strings.Contains(err.Error(), `"lan"`) {
		t.Errorf("got %v", err)
	}
}

func TestInterfaceNames(t *testing.T) {
	for _, tt := range []struct{ keys, want []string }{
		{[]string{"lan", "LAN", "lan"}, []string{"lan", "lan-" + suffix("LAN"), "lan-" + suffix("lan")}},
		{[]string{"lo", "0", "", "eth0", "--"}, []string{"netlo", "net0", "net", "eth0", "net-" + suffix("--")}},
		{[]string{"exactly15chars_"}, []string{"exactly15chars"}},
		{[]string{"a.b c/d"}, []string{"a-b-c-d"}},
		{[]string{"a-very-long-network-name", "a-very-long-network-name-2"}, []string{"a-very-lon-" + suffix("a-very-long-network-name"), "a-very-lon-" + suffix("a-very-long-network-name-2")}},
	} {
		var nics []NIC
		for _, k := range tt.keys {
			nics = append(nics, NIC{Key: k})
		}
		got := interfaceNames(nics)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: %s", tt.keys, diff)
		}
		for _, name := range got {
			if len(name) == 0 || len(name) > 15 {
				t.Errorf("%q is no name of an interface", name)
			}
		}
	}
}

func suffix(key string) string { return strings.TrimPrefix(hashedName("", key), "-") }
