package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

const token = "terraform@pve!tf=5ecret-0f-the-t0ken"

// cluster is the least that a block needs.
func cluster() *proxmoxModel {
	return &proxmoxModel{Endpoint: ptr("pve1"), APIToken: ptr(token)}
}

func TestProxmox_settings(t *testing.T) {
	all := map[string]string{
		"PROXMOX_VE_ENDPOINT": "pve1, https://pve2:8006/ ,", "PROXMOX_VE_USERNAME": "root@pam", "PROXMOX_VE_PASSWORD": "p", "PROXMOX_VE_OTP": "o",
		"PROXMOX_VE_CA_CERTIFICATE": "pem", "PROXMOX_VE_FINGERPRINT": "ab", "PROXMOX_VE_NODE": "n", "PROXMOX_VE_STORAGE": "s",
		"PROXMOX_VE_IMAGE_STORAGE": "i", "PROXMOX_VE_BRIDGE": "b", "PROXMOX_VE_POOL": "o", "PROXMOX_VE_VM_ID_RANGE": "200-299",
	}
	want := proxmox.Config{
		Config:     pve.Config{Endpoints: []string{"pve1", "https://pve2:8006/"}, Username: "root@pam", Password: "p", OTP: "o", CACertificate: "pem", Fingerprint: "ab"},
		Defaults:   proxmox.Defaults{Node: "n", Storage: "s", ImageStorage: "i", Bridge: "b", Pool: "o", FirstID: 200, LastID: 299},
		ListingAge: 2 * time.Second,
	}
	look := func(name string) string { return all[name] }
	r := &resolver{env: look}
	if d := cmp.Diff(want, (*proxmoxModel)(nil).config(r)); d != "" || r.bad != nil {
		t.Errorf("from the environment (-want +got):\n%s%+v", d, r.bad)
	}
	r = &resolver{env: func(string) string { return "" }}
	block := &proxmoxModel{
		Endpoint: ptr("pve1,https://pve2:8006/"), Username: ptr("root@pam"), Password: ptr("p"), OTP: ptr("o"), CACertificate: ptr("pem"), Fingerprint: ptr("ab"),
		Node: ptr("n"), Storage: ptr("s"), ImageStorage: ptr("i"), Bridge: ptr("b"), Pool: ptr("o"), VMIDRange: ptr("200 - 299"),
	}
	if d := cmp.Diff(want, block.config(r)); d != "" || r.bad != nil {
		t.Errorf("from the block (-want +got):\n%s%+v", d, r.bad)
	}

	// How to log in is decided by the block; what the environment has of the other way does not matter then.
	r = &resolver{env: look}
	if got := (&proxmoxModel{APIToken: ptr(token)}).config(r); got.APIToken != token || got.Username+got.Password+got.OTP != "" || r.bad != nil {
		t.Errorf("a token in the block and a user in the environment give %+v (%+v)", got, r.bad)
	}
	r = &resolver{env: func(name string) string {
		return map[string]string{"PROXMOX_VE_API_TOKEN": token, "PROXMOX_VE_ENDPOINT": "e"}[name]
	}}
	if got := (&proxmoxModel{Username: ptr("root@pam"), Password: ptr("p")}).config(r); got.APIToken != "" || got.Username != "root@pam" || r.bad != nil {
		t.Errorf("a user in the block and a token in the environment give %+v (%+v)", got, r.bad)
	}
	r = &resolver{env: func(name string) string {
		return map[string]string{"PROXMOX_VE_API_TOKEN": token, "PROXMOX_VE_ENDPOINT": "e"}[name]
	}}
	if got := (*proxmoxModel)(nil).config(r); got.APIToken != token || got.FirstID != 0 || r.bad != nil {
		t.Errorf("a token in the environment gives %+v (%+v)", got, r.bad)
	}
}

func TestProxmox_mistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(*proxmoxModel)
		env   map[string]string
		at    string
		words []string
	}{
		"fine":        {func(*proxmoxModel) {}, nil, "", nil},
		"no endpoint": {func(m *proxmoxModel) { m.Endpoint = nil }, nil, "endpoint", []string{"proxmox.endpoint", "PROXMOX_VE_ENDPOINT"}},
		"no login":    {func(m *proxmoxModel) { m.APIToken = nil }, nil, "api_token", []string{"proxmox.api_token", "PROXMOX_VE_API_TOKEN", "PROXMOX_VE_USERNAME"}},
		"no password": {func(m *proxmoxModel) { m.APIToken, m.Username = nil, ptr("root@pam") }, nil, "password", []string{"proxmox.password", "PROXMOX_VE_PASSWORD"}},
		"no user":     {func(m *proxmoxModel) { m.APIToken, m.Password = nil, ptr("p") }, nil, "username", []string{"proxmox.username", "PROXMOX_VE_USERNAME"}},
		"two logins":  {func(m *proxmoxModel) { m.Username = ptr("root@pam") }, nil, "api_token", []string{"proxmox.api_token", "proxmox.username"}},
		"two logins, by env": {
			func(m *proxmoxModel) { m.APIToken = nil },
			map[string]string{"PROXMOX_VE_API_TOKEN": token, "PROXMOX_VE_USERNAME": "root@pam", "PROXMOX_VE_PASSWORD": "p"},
			"api_token",
			[]string{"PROXMOX_VE_API_TOKEN", "PROXMOX_VE_USERNAME"},
		},
		"insecure, fingerprint": {func(m *proxmoxModel) { m.Insecure, m.Fingerprint = ptr(true), ptr("ab") }, nil, "fingerprint", []string{"proxmox.insecure", "PROXMOX_VE_INSECURE", "PROXMOX_VE_FINGERPRINT"}},
		"insecure, CA":          {func(m *proxmoxModel) { m.CACertificate = ptr("pem") }, map[string]string{"PROXMOX_VE_INSECURE": "1"}, "ca_certificate", []string{"proxmox.ca_certificate"}},
		"not insecure":          {func(m *proxmoxModel) { m.Insecure, m.Fingerprint = ptr(false), ptr("ab") }, nil, "", nil},
		"range, words":          {func(m *proxmoxModel) { m.VMIDRange = ptr("all") }, nil, "vm_id_range", []string{"1000-1999", `"all"`}},
		"range, reversed":       {func(*proxmoxModel) {}, map[string]string{"PROXMOX_VE_VM_ID_RANGE": "300-200"}, "vm_id_range", []string{"PROXMOX_VE_VM_ID_RANGE", "300-200"}},
		"range, low":            {func(m *proxmoxModel) { m.VMIDRange = ptr("99-200") }, nil, "vm_id_range", []string{"between 100 and 999999999"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := cluster()
			tt.edit(m)
			_, bad := model{Proxmox: m}.resolve(func(name string) string { return tt.env[name] })
			if tt.at == "" {
				if bad != nil {
					t.Errorf("refused: %+v", bad)
				}
				return
			}
			if bad == nil || !bad.at.Equal(path.Root("proxmox").AtName(tt.at)) {
				t.Fatalf("%+v, want a mistake at proxmox.%s", bad, tt.at)
			}
			for _, word := range tt.words {
				if !strings.Contains(bad.detail, word) {
					t.Errorf("%q does not say %s", bad.detail, word)
				}
			}
			if strings.Contains(bad.detail, "5ecret") {
				t.Errorf("%q shows the token", bad.detail)
			}
		})
	}
}

// What is wrong with a token is said without showing it.
func TestProxmox_validators(t *testing.T) {
	for text, valid := range map[string]bool{
		token: true, "root@pam!tf=x": true, "root@pam=5ecret": false, "5ecret": false, "root@pam!tf": false, "root@pam!tf=a 5ecret": false,
	} {
		var resp validator.StringResponse
		hidden{tokenForm, "must have the form"}.ValidateString(t.Context(), validator.StringRequest{Path: path.Root("proxmox").AtName("api_token"), ConfigValue: types.StringValue(text)}, &resp)
		if resp.Diagnostics.HasError() == valid {
			t.Errorf("%q: %v", text, resp.Diagnostics)
		}
		for _, d := range resp.Diagnostics {
			if strings.Contains(d.Detail()+d.Summary(), "5ecret") || !strings.Contains(d.Detail(), "proxmox.api_token") {
				t.Errorf("%q: %q", text, d.Detail())
			}
		}
	}
	one := strings.TrimSuffix(strings.Repeat("aB:", 32), ":")
	for text, valid := range map[string]bool{
		one: true, strings.Repeat("ff", 32): true, one + ", " + one: true, "": false, one + ":": false, strings.Repeat("ff", 20): false, strings.Repeat("xx", 32): false,
	} {
		if got := fingerprints.MatchString(text); got != valid {
			t.Errorf("%q is taken: %v, want %v", text, got, valid)
		}
	}
	for text, valid := range map[string]bool{"100-999": true, "100-100": true, "100": false, "": false, "200-100": false, "1-2-3": false} {
		var resp validator.StringResponse
		vmIDs{}.ValidateString(t.Context(), validator.StringRequest{ConfigValue: types.StringValue(text)}, &resp)
		if resp.Diagnostics.HasError() == valid {
			t.Errorf("%q: %v", text, resp.Diagnostics)
		}
	}
}
