package provider

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// vcenter is the least that a block needs.
func vcenter() *vsphereModel {
	return &vsphereModel{Endpoint: ptr("vc.example.org"), Username: ptr("u"), Password: ptr("p")}
}

func TestVSphere_settings(t *testing.T) {
	all := map[string]string{
		"VSPHERE_SERVER": "vc.example.org", "VSPHERE_USER": "u", "VSPHERE_PASSWORD": "p", "VSPHERE_CA_CERTIFICATE": "pem", "VSPHERE_THUMBPRINT": "ab",
		"VIRTRIGAUD_VSPHERE_SESSION_CACHE": "/cache", "VSPHERE_DATACENTER": "dc", "VSPHERE_CLUSTER": "c", "VSPHERE_RESOURCE_POOL": "rp",
		"VSPHERE_HOST": "h", "VSPHERE_DATASTORE": "ds", "VSPHERE_FOLDER": "f", "VSPHERE_NETWORK": "n",
	}
	want := vsphere.Config{
		Config:   conn.Config{Endpoint: "vc.example.org", Username: "u", Password: "p", CACertificate: "pem", Thumbprint: "ab", SessionCache: "/cache"},
		Defaults: inventory.Defaults{Datacenter: "dc", Cluster: "c", ResourcePool: "rp", Host: "h", Datastore: "ds", Folder: "f", Network: "n"},
	}
	r := &resolver{env: func(name string) string { return all[name] }}
	if d := cmp.Diff(want, (*vsphereModel)(nil).config(r)); d != "" || r.bad != nil {
		t.Errorf("from the environment (-want +got):\n%s%+v", d, r.bad)
	}
	r = &resolver{env: func(string) string { return "" }}
	block := &vsphereModel{
		Endpoint: ptr("vc.example.org"), Username: ptr("u"), Password: ptr("p"), CACertificate: ptr("pem"), Thumbprint: ptr("ab"), SessionCache: ptr("/cache"),
		Datacenter: ptr("dc"), Cluster: ptr("c"), ResourcePool: ptr("rp"), Host: ptr("h"), Datastore: ptr("ds"), Folder: ptr("f"), Network: ptr("n"),
	}
	if d := cmp.Diff(want, block.config(r)); d != "" || r.bad != nil {
		t.Errorf("from the block (-want +got):\n%s%+v", d, r.bad)
	}
	r = &resolver{env: func(name string) string { return all[name] }}
	if got := (&vsphereModel{Endpoint: ptr("other"), Network: ptr("lan")}).config(r); got.Endpoint != "other" || got.Network != "lan" || got.Username != "u" {
		t.Errorf("the block and then the environment give %+v", got)
	}
}

func TestVSphere_mistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(*vsphereModel)
		env   map[string]string
		at    string
		words []string
	}{
		"no endpoint":  {func(m *vsphereModel) { m.Endpoint = nil }, nil, "endpoint", []string{"vsphere.endpoint", "VSPHERE_SERVER"}},
		"no user":      {func(m *vsphereModel) { m.Username = nil }, nil, "username", []string{"vsphere.username", "VSPHERE_USER"}},
		"no password":  {func(m *vsphereModel) { m.Password = nil }, nil, "password", []string{"vsphere.password", "VSPHERE_PASSWORD"}},
		"empty":        {func(m *vsphereModel) { m.Password = ptr("") }, nil, "password", []string{"vsphere.password"}},
		"both":         {func(m *vsphereModel) { m.Insecure, m.Thumbprint = ptr(true), ptr("ab") }, nil, "thumbprint", []string{"vsphere.insecure", "vsphere.thumbprint", "VSPHERE_THUMBPRINT"}},
		"both, by env": {func(m *vsphereModel) { m.Thumbprint = ptr("ab") }, map[string]string{"VSPHERE_ALLOW_UNVERIFIED_SSL": "1"}, "thumbprint", []string{"VSPHERE_ALLOW_UNVERIFIED_SSL"}},
		"insecure, CA": {func(m *vsphereModel) { m.Insecure, m.CACertificate = ptr(true), ptr("pem") }, nil, "ca_certificate", []string{"vsphere.ca_certificate"}},
		"insecure":     {func(m *vsphereModel) { m.Insecure = ptr(true) }, nil, "", nil},
		"not insecure": {func(m *vsphereModel) { m.Insecure, m.Thumbprint = ptr(false), ptr("ab") }, nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := vcenter()
			tt.edit(m)
			_, bad := model{VSphere: m}.resolve(func(name string) string { return tt.env[name] })
			if tt.at == "" {
				if bad != nil {
					t.Errorf("refused: %+v", bad)
				}
				return
			}
			if bad == nil || !bad.at.Equal(path.Root("vsphere").AtName(tt.at)) {
				t.Fatalf("%+v, want a mistake at vsphere.%s", bad, tt.at)
			}
			for _, word := range tt.words {
				if !strings.Contains(bad.detail, word) {
					t.Errorf("%q does not say %s", bad.detail, word)
				}
			}
		})
	}
}

func TestThumbprint(t *testing.T) {
	sha1 := strings.TrimSuffix(strings.Repeat("aB:", 20), ":")
	for text, valid := range map[string]bool{
		sha1: true, strings.TrimSuffix(strings.Repeat("09:", 32), ":"): true, strings.Repeat("ff", 32): true, strings.Repeat("ff", 20): true,
		"": false, "ab": false, sha1 + ":": false, strings.Repeat("ff", 24): false, strings.Repeat("xx", 20): false,
	} {
		if got := thumbprint.MatchString(text); got != valid {
			t.Errorf("%q is taken: %v, want %v", text, got, valid)
		}
	}
}
