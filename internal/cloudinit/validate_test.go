package cloudinit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func v4(address, gateway string) *backends.VMSpec {
	return &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{Address: address, Gateway: gateway}}}}
}

func v6(address, gateway string) *backends.VMSpec {
	return &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv6: &backends.IPConfig{Address: address, Gateway: gateway}}}}
}

func ci(c backends.CloudInit) *backends.VMSpec { return &backends.VMSpec{CloudInit: &c} }

func mac(m string) *backends.VMSpec {
	return &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {MAC: &m}}}
}

func TestValidate(t *testing.T) {
	const (
		address = `networks["lan"].ipv4.address`
		gateway = `networks["lan"].ipv4.gateway`
		data    = "cloud_init.user_data"
	)
	for _, tt := range []struct {
		name string
		spec *backends.VMSpec
		want string // "" or "error|warning PATH: part of the text"
	}{
		{"nothing", &backends.VMSpec{}, ""},
		{"plain", v4("10.0.0.5/24", "10.0.0.1"), ""},
		{"a prefix of 31", v4("10.0.0.0/31", "10.0.0.1"), ""},
		{"a prefix of 32", v4("10.0.0.0/32", ""), ""},
		{"a gateway beyond 32", v4("10.0.0.5/32", "10.9.9.9"), "warning " + gateway + ": on the link"},
		{"no address", v4("", "10.0.0.1"), "error " + address + ": 10.0.0.5/24"},
		{"no prefix", v4("10.0.0.5", ""), "error " + address + `: "10.0.0.5/24"`},
		{"no IP", v4("ten/24", ""), "error " + address + ": not an address"},
		{"prefix too long", v4("10.0.0.5/33", ""), "error " + address + ": not an address"},
		{"prefix of nothing", v4("10.0.0.5/0", ""), "error " + address + ": whole internet"},
		{"network", v4("10.0.0.0/24", ""), "error " + address + ": 10.0.0.1"},
		{"broadcast", v4("10.0.3.255/22", ""), "error " + address + ": broadcast"},
		{"multicast", v4("224.0.0.5/24", ""), "error " + address + ": not an address that a host can have"},
		{"loopback", v4("127.0.0.1/8", ""), "error " + address + ": loopback"},
		{"v6 in v4", v4("2001:db8::1/64", ""), "error " + address + ": belongs in `ipv6`"},
		{"v4 in v6", v6("10.0.0.5/24", ""), `error networks["lan"].ipv6.address: belongs in ` + "`ipv4`"},
		{"mapped", v6("::ffff:10.0.0.5/120", ""), `error networks["lan"].ipv6.address: written as IPv6`},
		{"anycast", v6("2001:db8::/64", ""), `warning networks["lan"].ipv6.address: anycast`},
		{"link-local gateway", v6("2001:db8::5/64", "fe80::1"), ""},
		{"far gateway", v4("10.0.0.5/24", "10.0.1.1"), "error " + gateway + ": not in the network 10.0.0.0/24"},
		{"gateway of the other family", v4("10.0.0.5/24", "fe80::1"), "error " + gateway + ": not an IPv4 address"},
		{"gateway with a prefix", v4("10.0.0.5/24", "10.0.0.1/24"), "error " + gateway + ": has no prefix"},
		{"own gateway", v4("10.0.0.5/24", "10.0.0.5"), "error " + gateway + ": own address"},
		{"gateway in an extra network", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Extra: []string{"10.1.0.5/24"}, Gateway: "10.1.0.1",
		}}}}, ""},
		{"extra", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Extra: []string{"10.0.0.5/24"},
		}}}}, `error networks["lan"].ipv4.extra: networks["lan"].ipv4.address has the address 10.0.0.5 too`},
		{"twice", &backends.VMSpec{Networks: map[string]backends.NIC{
			"a": {IPv4: &backends.IPConfig{Address: "10.0.0.5/24"}},
			"b": {IPv4: &backends.IPConfig{Address: "10.0.0.5/25"}},
		}}, `error networks["b"].ipv4.address: networks["a"].ipv4.address has`},
		{"route", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.8.0.0/16", Via: "10.0.0.9"}, {To: "default", Via: "10.0.0.1"}},
		}}}}, ""},
		{"route via elsewhere", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.8.0.0/16", Via: "10.1.0.9"}},
		}}}}, `warning networks["lan"].ipv4.routes: 10.1.0.9`},
		{"route via a name", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.8.0.0/16", Via: "gw"}},
		}}}}, `error networks["lan"].ipv4.routes: "gw"`},
		{"route to a host", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.8.0.1/16", Via: "10.0.0.9"}},
		}}}}, `warning networks["lan"].ipv4.routes: 10.8.0.0/16`},
		{"route to a name", &backends.VMSpec{Networks: map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{
			Address: "10.0.0.5/24", Routes: []backends.Route{{To: "office", Via: "10.0.0.9"}},
		}}}}, `error networks["lan"].ipv4.routes: "office"`},

		{"mac", mac("52:54:00:12:34:56"), ""},
		{"short mac", mac("52:54:00:12:34"), `error networks["lan"].mac: not a MAC address`},
		{"long mac", mac("52:54:00:12:34:56:78:9a"), `error networks["lan"].mac: not a MAC address`},
		{"multicast mac", mac("53:54:00:12:34:56"), `error networks["lan"].mac: multicast`},
		{"zero mac", mac("00:00:00:00:00:00"), `error networks["lan"].mac: zeros`},
		{
			"mac twice", &backends.VMSpec{Networks: map[string]backends.NIC{"a": {MAC: p("52:54:00:12:34:5a")}, "b": {MAC: p("52:54:00:12:34:5A")}}},
			`error networks["b"].mac: Network "a"`,
		},

		{"dns", &backends.VMSpec{DNS: &backends.DNS{Servers: []string{"10.0.0.53", "fe80::1%eth0"}, Search: []string{"example.org"}}}, ""},
		{"dns by name", &backends.VMSpec{DNS: &backends.DNS{Servers: []string{"dns.example.org"}}}, "error dns.servers: by name"},
		{"search", &backends.VMSpec{DNS: &backends.DNS{Search: []string{"exa mple"}}}, "error dns.search: not a domain"},

		{"host name", ci(backends.CloudInit{Hostname: p("web-01.example.org")}), ""},
		{"empty host name", ci(backends.CloudInit{Hostname: p("")}), "error cloud_init.hostname: empty"},
		{"bad host name", ci(backends.CloudInit{Hostname: p("web_01")}), "error cloud_init.hostname: hyphens"},
		{"long host name", ci(backends.CloudInit{Hostname: p(strings.Repeat("a", 64))}), "error cloud_init.hostname: 63"},

		{"user data", ci(backends.CloudInit{UserData: p("#cloud-config\npackages: [a]\n")}), ""},
		{"script", ci(backends.CloudInit{UserData: p("#!/bin/sh\n")}), ""},
		{"windows", ci(backends.CloudInit{UserData: p("#ps1_sysnative\nls\n")}), ""},
		{"no header", ci(backends.CloudInit{UserData: p("packages: [a]\n")}), "warning " + data + ": #cloud-config"},
		{"byte order mark", ci(backends.CloudInit{UserData: p("\ufeff#cloud-config\na: 1\n")}), "warning " + data + ": byte order mark"},
		{"broken", ci(backends.CloudInit{UserData: p("#cloud-config\na: 1\nb: [\n")}), "warning " + data + ": line "},
		{"list", ci(backends.CloudInit{UserData: p("#cloud-config\n- a\n")}), "warning " + data + ": not a YAML mapping"},
		{"key twice", ci(backends.CloudInit{UserData: p("#cloud-config\na: 1\na: 2\n")}), "warning " + data + ": line 3: a key stands there twice"},
		{"two documents", ci(backends.CloudInit{UserData: p("#cloud-config\na: 1\n---\nb: 2\n")}), "warning " + data + ": second document"},
		{"vendor data", ci(backends.CloudInit{VendorData: p("x")}), "warning cloud_init.vendor_data: ignores"},
		{"meta data", ci(backends.CloudInit{MetaData: p("a: b\n")}), ""},
		{"meta data list", ci(backends.CloudInit{MetaData: p("- a\n")}), "error cloud_init.meta_data: not a YAML mapping"},
		{"network config", ci(backends.CloudInit{NetworkConfig: p("version: 1\nconfig: []\n")}), ""},
		{"network config without version", ci(backends.CloudInit{NetworkConfig: p("ethernets: {}\n")}), "warning cloud_init.network_config: version"},
		{"network config text", ci(backends.CloudInit{NetworkConfig: p("hello")}), "error cloud_init.network_config: not a YAML mapping"},

		{"user", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "ops", PasswordHash: hash, SSHKeys: []string{key1}}}, SSHKeys: []string{key2}}), ""},
		{"user without name", ci(backends.CloudInit{Users: []backends.CloudUser{{}}}), "error cloud_init.users: User number 1"},
		{"user named default", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "default"}}}), "error cloud_init.users: another name"},
		{"user with a space", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "a b"}}}), "error cloud_init.users: not a user name"},
		{"user twice", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "ops"}, {Name: "ops"}}}), "error cloud_init.users: twice"},
		{"user in the user data", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "ops"}}, UserData: p("#cloud-config\nusers: [ops]\n")}), "warning cloud_init.users: wins"},
		{"password in the clear", ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "ops", PasswordHash: "hunter2"}}}), "error cloud_init.users: crypt(3)"},
		{"key", ci(backends.CloudInit{SSHKeys: []string{"ssh-ed25519 AAAA"}}), "error cloud_init.ssh_authorized_keys: number 1"},
		{"private key", ci(backends.CloudInit{SSHKeys: []string{key1, "-----BEGIN OPENSSH PRIVATE KEY-----\n"}}), "error cloud_init.ssh_authorized_keys: number 2 is a private key"},
		{"keys in one", ci(backends.CloudInit{SSHKeys: []string{key1 + "\n" + key2}}), "error cloud_init.ssh_authorized_keys: more than one line"},
		{"key without its user", ci(backends.CloudInit{SSHKeys: []string{key1}, UserData: p("#cloud-config\nusers:\n- name: a\n")}), "warning cloud_init.ssh_authorized_keys: - default"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Validate(tt.spec)
			if tt.want == "" {
				if len(got) != 0 {
					t.Errorf("got %v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("got %d problems: %v", len(got), got)
			}
			kind := "error"
			if got[0].Warning {
				kind = "warning"
			}
			head, part, _ := strings.Cut(tt.want, ": ")
			if fmt.Sprintf("%s %s", kind, got[0].Path) != head || !strings.Contains(got[0].Text, part) {
				t.Errorf("got %s %s: %s", kind, got[0].Path, got[0].Text)
			}
		})
	}
}

// What a user got wrong may be next to a secret, or be one.
func TestValidate_keepsSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, spec := range []*backends.VMSpec{
		ci(backends.CloudInit{UserData: p("#cloud-config\npassword: *" + secret + "\n")}),
		ci(backends.CloudInit{UserData: p("#cloud-config\n" + secret + ": 1\n" + secret + ": 2\n")}),
		ci(backends.CloudInit{UserData: p(secret)}),
		ci(backends.CloudInit{MetaData: p("password: {" + secret)}),
		ci(backends.CloudInit{Users: []backends.CloudUser{{Name: "ops", PasswordHash: secret}}}),
		ci(backends.CloudInit{SSHKeys: []string{"-----BEGIN PRIVATE KEY-----\n" + secret}}),
	} {
		problems := Validate(spec)
		if len(problems) == 0 {
			t.Errorf("no problem in %+v", spec.CloudInit)
		}
		for _, problem := range problems {
			if strings.Contains(problem.Text, secret) {
				t.Errorf("secret in %q", problem.Text)
			}
		}
	}
}

func TestRender_keepsSecretsOutOfErrors(t *testing.T) {
	for _, meta := range []string{"password: *hunter2\n", "hunter2: 1\nhunter2: 2\n"} {
		if _, err := Render(Input{Spec: ci(backends.CloudInit{MetaData: &meta})}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}
