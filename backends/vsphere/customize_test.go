package vsphere

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// guestOf is a stopped VM with a guest operating system.
func guestOf(guestID string) *machine {
	return &machine{VirtualMachine: mo.VirtualMachine{Config: &types.VirtualMachineConfigInfo{GuestId: guestID}}}
}

func TestCustomizationOfLinux(t *testing.T) {
	spec := &backends.VMSpec{
		Name:          "Web 01",
		Customization: &backends.Customization{Domain: "example.org", TimeZone: "Europe/Madrid"},
		DNS:           &backends.DNS{Servers: []string{"10.0.0.2"}, Search: []string{"example.org"}},
		Networks: map[string]backends.NIC{
			"back": {},
			"lan": {
				IPv4: &backends.IPConfig{Address: "10.0.0.5/23", Gateway: "10.0.0.1"},
				IPv6: &backends.IPConfig{Address: "2001:db8::5/64", Gateway: "2001:db8::1"},
			},
		},
	}
	k := &mark{NICs: map[string]nicMark{"lan": {Unit: 7}, "back": {Unit: 8}}}
	macs := map[string]string{"lan": "00:50:56:00:00:07", "back": "00:50:56:00:00:08"}
	got, err := guestOf("debian12_64Guest").customizationSpec(spec, macs, k)
	if err != nil {
		t.Fatal(err)
	}
	want := &types.CustomizationSpec{
		Options: &types.CustomizationLinuxOptions{},
		Identity: &types.CustomizationLinuxPrep{
			HostName: &types.CustomizationFixedName{Name: "web-01"}, Domain: "example.org", TimeZone: "Europe/Madrid", HwClockUTC: types.NewBool(true),
		},
		GlobalIPSettings: types.CustomizationGlobalIPSettings{DnsServerList: []string{"10.0.0.2"}, DnsSuffixList: []string{"example.org"}},
		NicSettingMap: []types.CustomizationAdapterMapping{
			{
				MacAddress: "00:50:56:00:00:07",
				Adapter: types.CustomizationIPSettings{
					Ip: &types.CustomizationFixedIp{IpAddress: "10.0.0.5"}, SubnetMask: "255.255.254.0", Gateway: []string{"10.0.0.1"},
					IpV6Spec: &types.CustomizationIPSettingsIpV6AddressSpec{
						Ip:      []types.BaseCustomizationIpV6Generator{&types.CustomizationFixedIpV6{IpAddress: "2001:db8::5", SubnetMask: 64}},
						Gateway: []string{"2001:db8::1"},
					},
				},
			},
			{MacAddress: "00:50:56:00:00:08", Adapter: types.CustomizationIPSettings{Ip: &types.CustomizationDhcpIpGenerator{}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCustomizationOfWindows(t *testing.T) {
	once := int64(1)
	spec := &backends.VMSpec{Name: "dc-01", Customization: &backends.Customization{
		TimeZone: "110",
		Windows: &backends.WindowsCustomization{
			FullName: "Ops", Organization: "Example", AdminPassword: "secret", JoinDomain: "example.org", DomainAdmin: "joiner", DomainPassword: "hidden",
			RunOnce: []string{"cmd /c echo done"}, AutoLogonCount: &once,
		},
	}}
	got, err := guestOf("windows2019srv_64Guest").customizationSpec(spec, nil, &mark{})
	if err != nil {
		t.Fatal(err)
	}
	want := &types.CustomizationSysprep{
		GuiUnattended: types.CustomizationGuiUnattended{
			Password: &types.CustomizationPassword{Value: "secret", PlainText: true}, TimeZone: 110, AutoLogon: true, AutoLogonCount: 1,
		},
		UserData:   types.CustomizationUserData{FullName: "Ops", OrgName: "Example", ComputerName: &types.CustomizationFixedName{Name: "dc-01"}},
		GuiRunOnce: &types.CustomizationGuiRunOnce{CommandList: []string{"cmd /c echo done"}},
		Identification: types.CustomizationIdentification{
			JoinDomain: "example.org", DomainAdmin: "joiner", DomainAdminPassword: &types.CustomizationPassword{Value: "hidden", PlainText: true},
		},
	}
	if diff := cmp.Diff(want, got.Identity); diff != "" {
		t.Error(diff)
	}
}

func TestCustomizationRefused(t *testing.T) {
	windows := &backends.WindowsCustomization{}
	tests := map[string]struct {
		guest string
		spec  backends.VMSpec
		path  backends.Path
	}{
		"sysprep of Linux":         {"debian12_64Guest", backends.VMSpec{Customization: &backends.Customization{Windows: windows}}, "customization.windows"},
		"Windows without sysprep":  {"windows9_64Guest", backends.VMSpec{Customization: &backends.Customization{}}, "customization.windows"},
		"a time zone of Linux":     {"windows9_64Guest", backends.VMSpec{Customization: &backends.Customization{Windows: windows, TimeZone: "Europe/Berlin"}}, "customization.time_zone"},
		"a name that is too long":  {"windows9_64Guest", backends.VMSpec{Customization: &backends.Customization{Windows: windows, Hostname: "a-long-computer-name"}}, "customization.hostname"},
		"routes":                   {"debian12_64Guest", backends.VMSpec{Networks: nic(backends.IPConfig{Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.1.0.0/16", Via: "10.0.0.1"}}})}, `networks["lan"].ipv4`},
		"a second address":         {"debian12_64Guest", backends.VMSpec{Networks: nic(backends.IPConfig{Address: "10.0.0.5/24", Extra: []string{"10.0.0.6/24"}})}, `networks["lan"].ipv4`},
		"an address without a net": {"debian12_64Guest", backends.VMSpec{Networks: nic(backends.IPConfig{Address: "10.0.0.5"})}, `networks["lan"].ipv4.address`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := guestOf(test.guest).customizationSpec(&test.spec, map[string]string{"lan": "00:50:56:00:00:07"}, &mark{})
			if err == nil {
				t.Fatal("it was accepted")
			}
			if e := backends.Wrap(err, "", "").(*backends.Error); e.Path != test.path { //nolint:errorlint // Wrap returns this type
				t.Errorf("the error blames %q, want %q: %v", e.Path, test.path, err)
			}
		})
	}
}

func nic(ip backends.IPConfig) map[string]backends.NIC {
	return map[string]backends.NIC{"lan": {IPv4: &ip}}
}

func TestNetmask(t *testing.T) {
	for bits, want := range map[int]string{0: "0.0.0.0", 8: "255.0.0.0", 20: "255.255.240.0", 32: "255.255.255.255"} {
		if got := netmask(bits); got != want {
			t.Errorf("/%d is %s, want %s", bits, got, want)
		}
	}
}

func TestDatasource(t *testing.T) {
	nocloud := "nocloud"
	linux, windows := &backends.Customization{}, &backends.Customization{Windows: &backends.WindowsCustomization{}}
	tests := []struct {
		spec backends.VMSpec
		want string
	}{
		{backends.VMSpec{}, ""},
		{backends.VMSpec{CloudInit: &backends.CloudInit{}}, fromGuestInfo},
		{backends.VMSpec{CloudInit: &backends.CloudInit{Datasource: &nocloud}}, fromNoCloud},
		{backends.VMSpec{DNS: &backends.DNS{}}, fromGuestInfo},
		{backends.VMSpec{Networks: nic(backends.IPConfig{Address: "10.0.0.5/24"})}, fromGuestInfo},
		{backends.VMSpec{Customization: linux}, fromCustomization},
		{backends.VMSpec{Customization: linux, CloudInit: &backends.CloudInit{}}, fromGuestInfo},
		{backends.VMSpec{Customization: windows, CloudInit: &backends.CloudInit{}}, fromCustomization},
	}
	for _, test := range tests {
		if got := datasourceOf(&test.spec); got != test.want {
			t.Errorf("%+v is told by %q, want %q", test.spec, got, test.want)
		}
	}
}

func TestCustomizationFailureIsTold(t *testing.T) {
	if err := customizationFailed("The domain could not be joined."); !strings.Contains(err.Error(), "could not be joined") {
		t.Errorf("the reason is lost: %v", err)
	}
}
