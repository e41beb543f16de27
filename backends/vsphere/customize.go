package vsphere

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// customize prepares vSphere's own guest customization, which takes place at the next start. A VM that is
// not stopped is not customized: vSphere could not, and its guest has been.
func (b *Backend) customize(m *machine, spec *backends.VMSpec, macs map[string]string, k *mark, s *seeding) error {
	want, err := m.customizationSpec(spec, macs, k)
	if err != nil {
		return err
	}
	if m.power() != backends.Stopped {
		return nil
	}
	s.after = func(ctx context.Context) error {
		_, err := b.conn.Await(ctx, "customize the guest", m.object(), func(ctx context.Context) (*object.Task, error) {
			return b.vm(m.id()).Customize(ctx, *want)
		})
		return blame(err, "customization")
	}
	return nil
}

// customizationSpec is what vSphere's guest customization takes: all interfaces in the order of their devices.
func (m *machine) customizationSpec(spec *backends.VMSpec, macs map[string]string, k *mark) (*types.CustomizationSpec, error) {
	c := backends.Customization{}
	if spec.Customization != nil {
		c = *spec.Customization
	}
	if c.Hostname == "" {
		c.Hostname = cloudinit.Hostname(spec.Name)
	}
	windows := isWindows(m.Config.GuestId)
	out := &types.CustomizationSpec{}
	if err := checkFamily(m.Config.GuestId, c); err != nil {
		return nil, err
	}
	switch {
	case windows:
		prep, err := sysprep(c)
		if err != nil {
			return nil, err
		}
		out.Identity, out.Options = prep, &types.CustomizationWinOptions{ChangeSID: true}
	default:
		out.Identity, out.Options = linuxPrep(c, spec.DNS), &types.CustomizationLinuxOptions{}
	}
	if spec.DNS != nil {
		out.GlobalIPSettings.DnsSuffixList = spec.DNS.Search
		if !windows {
			out.GlobalIPSettings.DnsServerList = spec.DNS.Servers
		}
	}
	keys := slices.SortedFunc(maps.Keys(macs), func(x, y string) int { return int(k.NICs[x].Unit - k.NICs[y].Unit) })
	for _, key := range keys {
		adapter, err := adapterSettings(key, spec.Networks[key])
		if err != nil {
			return nil, err
		}
		if windows {
			adapter.DnsDomain = c.Domain
			if spec.DNS != nil {
				adapter.DnsServerList = spec.DNS.Servers
			}
		}
		out.NicSettingMap = append(out.NicSettingMap, types.CustomizationAdapterMapping{MacAddress: macs[key], Adapter: adapter})
	}
	return out, nil
}

func isWindows(guestID string) bool { return strings.HasPrefix(guestID, "win") }

// checkFamily refuses what customizes another family of guests than the one that there is.
func checkFamily(guestID string, c backends.Customization) error {
	switch windows := isWindows(guestID); {
	case windows && c.Windows == nil:
		return backends.Errorf(backends.Invalid, "", "", "the guest operating system is %s, which is customized by sysprep", guestID).
			At("customization.windows").Advise("Set customization.windows, {} for its defaults.")
	case !windows && c.Windows != nil:
		return backends.Errorf(backends.Invalid, "", "", "the guest operating system is %s, and sysprep exists on Windows only", guestID).
			At("customization.windows").Advise("Remove customization.windows, or set guest_os to what the guest is.")
	}
	return nil
}

func linuxPrep(c backends.Customization, dns *backends.DNS) *types.CustomizationLinuxPrep {
	domain := c.Domain
	if domain == "" && dns != nil && len(dns.Search) > 0 {
		domain = dns.Search[0]
	}
	if domain == "" {
		domain = "localdomain" // the API demands one
	}
	return &types.CustomizationLinuxPrep{
		HostName: &types.CustomizationFixedName{Name: strings.TrimSuffix(c.Hostname, "."+domain)},
		Domain:   domain, TimeZone: c.TimeZone, HwClockUTC: types.NewBool(true),
	}
}

// utc is Coordinated Universal Time in sysprep's list of time zones (Microsoft's Time Zone Index Values).
const utc = 85

func sysprep(c backends.Customization) (*types.CustomizationSysprep, error) {
	w := c.Windows
	zone := utc
	if c.TimeZone != "" && c.TimeZone != "UTC" {
		var err error
		if zone, err = strconv.Atoi(c.TimeZone); err != nil {
			return nil, backends.Errorf(backends.Invalid, "", "", "%q is not a time zone that sysprep knows", c.TimeZone).
				At("customization.time_zone").Advise("Windows numbers its time zones: write the index, such as 85 for UTC or 110 for Berlin.")
		}
	}
	host, _, _ := strings.Cut(c.Hostname, ".")
	if len(host) > 15 {
		return nil, backends.Errorf(backends.Invalid, "", "", "%q is longer than the 15 characters that a Windows computer name has", host).
			At("customization.hostname")
	}
	prep := &types.CustomizationSysprep{
		GuiUnattended: types.CustomizationGuiUnattended{TimeZone: int32(zone)}, //nolint:gosec // an index below 1000
		UserData: types.CustomizationUserData{
			FullName: cmp.Or(w.FullName, "Administrator"), OrgName: cmp.Or(w.Organization, "Organization"),
			ComputerName: &types.CustomizationFixedName{Name: host}, ProductId: w.ProductKey,
		},
		Identification: types.CustomizationIdentification{JoinWorkgroup: w.Workgroup},
	}
	if w.AdminPassword != "" {
		prep.GuiUnattended.Password = &types.CustomizationPassword{Value: w.AdminPassword, PlainText: true}
	}
	if w.AutoLogonCount != nil && *w.AutoLogonCount > 0 {
		prep.GuiUnattended.AutoLogon, prep.GuiUnattended.AutoLogonCount = true, int32(min(*w.AutoLogonCount, 1000)) //nolint:gosec // bounded
	}
	if len(w.RunOnce) > 0 {
		prep.GuiRunOnce = &types.CustomizationGuiRunOnce{CommandList: w.RunOnce}
	}
	if w.JoinDomain != "" {
		prep.Identification = types.CustomizationIdentification{
			JoinDomain: w.JoinDomain, DomainAdmin: w.DomainAdmin,
			DomainAdminPassword: &types.CustomizationPassword{Value: w.DomainPassword, PlainText: true},
		}
	}
	return prep, nil
}

// adapterSettings are one interface's addresses. The customization knows one of each family and no routes.
func adapterSettings(key string, nic backends.NIC) (types.CustomizationIPSettings, error) {
	path := backends.Path("networks").Key(key)
	settings := types.CustomizationIPSettings{Ip: &types.CustomizationDhcpIpGenerator{}}
	if nic.IPv4 != nil {
		p, err := onlyAddress(nic.IPv4, path.Attr("ipv4"))
		if err != nil {
			return settings, err
		}
		settings.Ip = &types.CustomizationFixedIp{IpAddress: p.Addr().String()}
		settings.SubnetMask = netmask(p.Bits())
		if nic.IPv4.Gateway != "" {
			settings.Gateway = []string{nic.IPv4.Gateway}
		}
	}
	if nic.IPv6 != nil {
		p, err := onlyAddress(nic.IPv6, path.Attr("ipv6"))
		if err != nil {
			return settings, err
		}
		settings.IpV6Spec = &types.CustomizationIPSettingsIpV6AddressSpec{
			Ip: []types.BaseCustomizationIpV6Generator{&types.CustomizationFixedIpV6{
				IpAddress: p.Addr().String(), SubnetMask: int32(p.Bits()), //nolint:gosec // at most 128
			}},
		}
		if nic.IPv6.Gateway != "" {
			settings.IpV6Spec.Gateway = []string{nic.IPv6.Gateway}
		}
	}
	return settings, nil
}

func onlyAddress(c *backends.IPConfig, path backends.Path) (netip.Prefix, error) {
	if len(c.Extra) > 0 || len(c.Routes) > 0 {
		return netip.Prefix{}, backends.Errorf(backends.Unsupported, "", "", "vSphere's guest customization sets one address of a family and no routes").
			At(path).Advise("Set cloud_init, so that cloud-init configures the guest.")
	}
	p, err := netip.ParsePrefix(c.Address)
	if err != nil {
		return p, backends.Errorf(backends.Invalid, "", "", "%q is not an address with a prefix length", c.Address).At(path.Attr("address"))
	}
	return p, nil
}

func netmask(bits int) string {
	mask := [4]byte{}
	for i := range min(bits, 32) {
		mask[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(mask).String()
}
