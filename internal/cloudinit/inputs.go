package cloudinit

import (
	"encoding/json"
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// inputsVersion is raised when an older reader would misunderstand what is written.
const inputsVersion = 1

// Inputs is the part of a VM's specification that only its seed can tell back.
type Inputs struct {
	CloudInit *backends.CloudInit // without UserData where UserDataVersion stands for it
	DNS       *backends.DNS
	Networks  map[string]Addresses // by network key; keys with neither are absent
	// Customization is without the secrets of its Windows part, which is vSphere's to carry out.
	Customization *backends.Customization
}

// Addresses is a NIC's static configuration.
type Addresses struct {
	IPv4, IPv6 *backends.IPConfig
}

// InputsOf takes the inputs out of a specification.
func InputsOf(spec *backends.VMSpec) Inputs {
	in := Inputs{DNS: spec.DNS}
	if spec.CloudInit != nil {
		ci := *spec.CloudInit
		if ci.UserDataVersion != nil {
			ci.UserData = nil // write-only: it must not be told back
		}
		in.CloudInit = &ci
	}
	if c := spec.Customization; c != nil {
		told := *c
		if w := c.Windows; w != nil {
			open := *w
			open.AdminPassword, open.DomainPassword, open.ProductKey = "", "", ""
			told.Windows = &open
		}
		in.Customization = &told
	}
	for key, nic := range spec.Networks {
		if nic.IPv4 == nil && nic.IPv6 == nil {
			continue
		}
		if in.Networks == nil {
			in.Networks = map[string]Addresses{}
		}
		in.Networks[key] = Addresses{IPv4: nic.IPv4, IPv6: nic.IPv6}
	}
	return in
}

// Apply fills the specification of an observed VM: CloudInit, Customization, DNS, and IPv4 and IPv6 of the
// networks that the specification has. A key that it does not have is ignored, because a
// network interface exists on the hypervisor or not at all.
func (in Inputs) Apply(spec *backends.VMSpec) {
	spec.CloudInit, spec.DNS, spec.Customization = in.CloudInit, in.DNS, in.Customization
	for key, nic := range spec.Networks {
		a := in.Networks[key]
		nic.IPv4, nic.IPv6 = a.IPv4, a.IPv6
		spec.Networks[key] = nic
	}
}

// ParseInputs reads Seed.Inputs. Empty data, from a seed that was made by something else, is
// empty Inputs.
func ParseInputs(data []byte) (Inputs, error) {
	if len(data) == 0 {
		return Inputs{}, nil
	}
	var w wireInputs
	if err := json.Unmarshal(data, &w); err != nil {
		return Inputs{}, fmt.Errorf("the seed's %s is damaged: %w", fileInputs, err)
	}
	if w.Version != inputsVersion {
		return Inputs{}, fmt.Errorf("the seed's %s has version %d and this release reads version %d: use the release that made it, or a newer one",
			fileInputs, w.Version, inputsVersion)
	}
	return w.inputs(), nil
}

func (in Inputs) encode() ([]byte, error) {
	data, err := json.MarshalIndent(newWireInputs(in), "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// The wire types fix the names in the file, whatever the Go fields are called. Their fields
// are those of the backends types in the same order: a conversion fails to compile
// when a field is added there and forgotten here. omitzero, not omitempty: an empty list is
// a value and differs from an absent one.
type (
	wireInputs struct {
		Version   int                      `json:"version"`
		CloudInit *wireCloudInit           `json:"cloud_init,omitzero"`
		DNS       *wireDNS                 `json:"dns,omitzero"`
		Networks  map[string]wireAddresses `json:"networks,omitzero"`

		Customization *wireCustomization `json:"customization,omitzero"`
	}
	wireCustomization struct {
		Hostname string `json:"hostname,omitzero"`
		Domain   string `json:"domain,omitzero"`
		TimeZone string `json:"timezone,omitzero"`

		Windows *wireWindows `json:"windows,omitzero"`
	}
	// wireWindows has no field for a secret.
	wireWindows struct {
		Organization    string   `json:"organization,omitzero"`
		FullName        string   `json:"full_name,omitzero"`
		Workgroup       string   `json:"workgroup,omitzero"`
		JoinDomain      string   `json:"join_domain,omitzero"`
		DomainAdmin     string   `json:"domain_admin,omitzero"`
		PasswordVersion *int64   `json:"password_version,omitzero"`
		RunOnce         []string `json:"run_once,omitzero"`
		AutoLogonCount  *int64   `json:"auto_logon_count,omitzero"`
	}
	wireAddresses struct {
		IPv4 *wireIPConfig `json:"ipv4,omitzero"`
		IPv6 *wireIPConfig `json:"ipv6,omitzero"`
	}
	wireIPConfig struct {
		Address string      `json:"address,omitzero"`
		Gateway string      `json:"gateway,omitzero"`
		Routes  []wireRoute `json:"routes,omitzero"`
		Extra   []string    `json:"extra,omitzero"`
	}
	wireRoute struct {
		To  string `json:"to"`
		Via string `json:"via,omitzero"`
	}
	wireDNS struct {
		Servers []string `json:"servers,omitzero"`
		Search  []string `json:"search,omitzero"`
	}
	wireCloudInit struct {
		Hostname        *string    `json:"hostname,omitzero"`
		UserData        *string    `json:"user_data,omitzero"`
		VendorData      *string    `json:"vendor_data,omitzero"`
		MetaData        *string    `json:"meta_data,omitzero"`
		NetworkConfig   *string    `json:"network_config,omitzero"`
		Users           []wireUser `json:"users,omitzero"`
		SSHKeys         []string   `json:"ssh_authorized_keys,omitzero"`
		Datasource      *string    `json:"datasource,omitzero"`
		InstanceID      *string    `json:"instance_id,omitzero"`
		UserDataVersion *int64     `json:"user_data_version,omitzero"`
	}
	wireUser struct {
		Name         string   `json:"name"`
		Groups       []string `json:"groups,omitzero"`
		Shell        string   `json:"shell,omitzero"`
		Sudo         string   `json:"sudo,omitzero"`
		PasswordHash string   `json:"password_hash,omitzero"`
		SSHKeys      []string `json:"ssh_authorized_keys,omitzero"`
	}
)

func newWireInputs(in Inputs) wireInputs {
	w := wireInputs{Version: inputsVersion, DNS: (*wireDNS)(in.DNS)}
	if c := in.CloudInit; c != nil {
		w.CloudInit = &wireCloudInit{
			c.Hostname, c.UserData, c.VendorData, c.MetaData, c.NetworkConfig,
			each(c.Users, func(u backends.CloudUser) wireUser { return wireUser(u) }),
			c.SSHKeys, c.Datasource, c.InstanceID, c.UserDataVersion,
		}
	}
	if c := in.Customization; c != nil {
		w.Customization = &wireCustomization{c.Hostname, c.Domain, c.TimeZone, newWireWindows(c.Windows)}
	}
	if in.Networks != nil {
		w.Networks = make(map[string]wireAddresses, len(in.Networks))
		for key, a := range in.Networks {
			w.Networks[key] = wireAddresses{newWireIPConfig(a.IPv4), newWireIPConfig(a.IPv6)}
		}
	}
	return w
}

func newWireWindows(c *backends.WindowsCustomization) *wireWindows {
	if c == nil {
		return nil
	}
	return &wireWindows{
		Organization: c.Organization, FullName: c.FullName, Workgroup: c.Workgroup, JoinDomain: c.JoinDomain, DomainAdmin: c.DomainAdmin,
		PasswordVersion: c.PasswordVersion, RunOnce: c.RunOnce, AutoLogonCount: c.AutoLogonCount,
	}
}

func (w *wireWindows) windows() *backends.WindowsCustomization {
	if w == nil {
		return nil
	}
	return &backends.WindowsCustomization{
		Organization: w.Organization, FullName: w.FullName, Workgroup: w.Workgroup, JoinDomain: w.JoinDomain, DomainAdmin: w.DomainAdmin,
		PasswordVersion: w.PasswordVersion, RunOnce: w.RunOnce, AutoLogonCount: w.AutoLogonCount,
	}
}

func newWireIPConfig(c *backends.IPConfig) *wireIPConfig {
	if c == nil {
		return nil
	}
	return &wireIPConfig{
		c.Address, c.Gateway,
		each(c.Routes, func(r backends.Route) wireRoute { return wireRoute(r) }), c.Extra,
	}
}

func (w wireInputs) inputs() Inputs {
	in := Inputs{DNS: (*backends.DNS)(w.DNS)}
	if c := w.CloudInit; c != nil {
		in.CloudInit = &backends.CloudInit{
			Hostname: c.Hostname, UserData: c.UserData, VendorData: c.VendorData, MetaData: c.MetaData,
			NetworkConfig: c.NetworkConfig,
			Users:         each(c.Users, func(u wireUser) backends.CloudUser { return backends.CloudUser(u) }),
			SSHKeys:       c.SSHKeys, Datasource: c.Datasource, InstanceID: c.InstanceID, UserDataVersion: c.UserDataVersion,
		}
	}
	if c := w.Customization; c != nil {
		in.Customization = &backends.Customization{Hostname: c.Hostname, Domain: c.Domain, TimeZone: c.TimeZone, Windows: c.Windows.windows()}
	}
	if w.Networks != nil {
		in.Networks = make(map[string]Addresses, len(w.Networks))
		for key, a := range w.Networks {
			in.Networks[key] = Addresses{a.IPv4.config(), a.IPv6.config()}
		}
	}
	return in
}

func (c *wireIPConfig) config() *backends.IPConfig {
	if c == nil {
		return nil
	}
	return &backends.IPConfig{
		Address: c.Address, Gateway: c.Gateway,
		Routes: each(c.Routes, func(r wireRoute) backends.Route { return backends.Route(r) }), Extra: c.Extra,
	}
}

// each converts a list and keeps the difference between nil and empty.
func each[A, B any](list []A, f func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}
