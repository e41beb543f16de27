package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/provider"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func ptr[T any](v T) *T { return &v }

func TestChoice(t *testing.T) {
	for name, test := range map[string]struct {
		block model
		env   map[string]string
		want  backends.Kind
		bad   string
	}{
		"mock block":            {block: model{Mock: &mockModel{}}, want: backends.Mock},
		"libvirt block":         {block: model{Libvirt: &libvirtModel{}}, want: backends.Libvirt},
		"block wins":            {block: model{Mock: &mockModel{}}, env: map[string]string{"VIRTRIGAUD_BACKEND": "libvirt", "LIBVIRT_DEFAULT_URI": "qemu:///system"}, want: backends.Mock},
		"variable":              {env: map[string]string{"VIRTRIGAUD_BACKEND": "mock"}, want: backends.Mock},
		"libvirt's own":         {env: map[string]string{"LIBVIRT_DEFAULT_URI": "qemu:///system"}, want: backends.Libvirt},
		"nothing":               {bad: "No hypervisor is configured"},
		"both":                  {block: model{Mock: &mockModel{}, Libvirt: &libvirtModel{}}, bad: "More than one hypervisor"},
		"vsphere block":         {block: model{VSphere: vcenter()}, want: backends.VSphere},
		"vsphere's own":         {env: map[string]string{"VSPHERE_SERVER": "vc", "VSPHERE_USER": "u", "VSPHERE_PASSWORD": "p"}, want: backends.VSphere},
		"two of their own":      {env: map[string]string{"VSPHERE_SERVER": "vc", "LIBVIRT_DEFAULT_URI": "qemu:///system"}, bad: "More than one hypervisor"},
		"two, and the one":      {env: map[string]string{"VSPHERE_SERVER": "vc", "LIBVIRT_DEFAULT_URI": "qemu:///system", "VIRTRIGAUD_BACKEND": "libvirt"}, want: backends.Libvirt},
		"vsphere and mock":      {block: model{Mock: &mockModel{}, VSphere: vcenter()}, bad: "More than one hypervisor"},
		"proxmox block":         {block: model{Proxmox: cluster()}, want: backends.Proxmox},
		"proxmox's own":         {env: map[string]string{"PROXMOX_VE_ENDPOINT": "pve", "PROXMOX_VE_API_TOKEN": token}, want: backends.Proxmox},
		"proxmox and vsphere":   {env: map[string]string{"VSPHERE_SERVER": "vc", "PROXMOX_VE_ENDPOINT": "pve"}, bad: "More than one hypervisor"},
		"proxmox and mock":      {block: model{Mock: &mockModel{}, Proxmox: cluster()}, bad: "More than one hypervisor"},
		"half of proxmox":       {block: model{Proxmox: &proxmoxModel{}}, env: map[string]string{"PROXMOX_VE_ENDPOINT": "pve"}, bad: "Missing setting"},
		"half of vsphere":       {block: model{VSphere: &vsphereModel{}}, env: map[string]string{"VSPHERE_SERVER": "vc"}, bad: "Missing setting"},
		"unknown name":          {env: map[string]string{"VIRTRIGAUD_BACKEND": "xen"}, bad: "Unknown hypervisor"},
		"bad number in env":     {block: model{Mock: &mockModel{}}, env: map[string]string{"VIRTRIGAUD_MAX_PARALLEL_OPERATIONS": "many"}, bad: "Invalid environment variable"},
		"bad duration in env":   {block: model{Mock: &mockModel{}}, env: map[string]string{"VIRTRIGAUD_MOCK_LATENCY": "5"}, bad: "Invalid environment variable"},
		"negative number":       {block: model{Mock: &mockModel{}}, env: map[string]string{"VIRTRIGAUD_MAX_PARALLEL_OPERATIONS": "-1"}, bad: "Invalid environment variable"},
		"bad boolean in env":    {block: model{Mock: &mockModel{}}, env: map[string]string{"VIRTRIGAUD_MOCK_SAMPLE_DATA": "perhaps"}, bad: "Invalid environment variable"},
		"other's env is no bad": {block: model{Libvirt: &libvirtModel{}}, env: map[string]string{"VIRTRIGAUD_MOCK_LATENCY": "5"}, want: backends.Libvirt},
	} {
		t.Run(name, func(t *testing.T) {
			s, bad := test.block.resolve(func(name string) string { return test.env[name] })
			switch {
			case test.bad == "" && bad != nil:
				t.Errorf("refused: %s", bad.detail)
			case test.bad != "" && (bad == nil || bad.summary != test.bad):
				t.Errorf("want %q, got %+v", test.bad, bad)
			case bad == nil && s.kind != test.want:
				t.Errorf("chose %s, want %s", s.kind, test.want)
			}
		})
	}
}

func TestBlockWinsOverEnvironment(t *testing.T) {
	env := map[string]string{"VIRTRIGAUD_MAX_PARALLEL_OPERATIONS": "3", "VIRTRIGAUD_REQUEST_TIMEOUT": "7s"}
	look := func(name string) string { return env[name] }
	for name, test := range map[string]struct {
		block    model
		env      lookup
		parallel int
		timeout  time.Duration
	}{
		"defaults":    {model{Mock: &mockModel{}}, func(string) string { return "" }, defaultParallel, defaultRequestTimeout},
		"environment": {model{Mock: &mockModel{}}, look, 3, 7 * time.Second},
		"block":       {model{Mock: &mockModel{}, MaxParallelOperations: ptr(int64(9)), RequestTimeout: ptr("2m")}, look, 9, 2 * time.Minute},
	} {
		s, bad := test.block.resolve(test.env)
		if bad != nil || s.maxParallel != test.parallel || s.timeout != test.timeout {
			t.Errorf("%s: %d at once, %s; want %d, %s (%+v)", name, s.maxParallel, s.timeout, test.parallel, test.timeout, bad)
		}
	}
}

func TestMockOpensAsConfigured(t *testing.T) {
	env := map[string]string{"VIRTRIGAUD_BACKEND": "mock", "VIRTRIGAUD_MOCK_SAMPLE_DATA": "true", "VIRTRIGAUD_MOCK_STATE_FILE": t.TempDir() + "/mock.json"}
	s, bad := model{}.resolve(func(name string) string { return env[name] })
	if bad != nil {
		t.Fatal(bad.detail)
	}
	b, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	all, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"db-01"}})
	if err != nil || len(all) != 1 {
		t.Errorf("the sample VM db-01: %v, %v", all, err)
	}
}

// Where a value can come from the environment, its description says so; where
// it names a variable, the provider reads it.
func TestDescriptionsNameTheVariables(t *testing.T) {
	asked := map[string]bool{}
	env := func(name string) string { asked[name] = true; return "" }
	_, _ = model{Libvirt: &libvirtModel{}}.resolve(env)
	_, _ = model{VSphere: &vsphereModel{}}.resolve(env)
	_, _ = model{Proxmox: &proxmoxModel{}}.resolve(env)
	_, _ = model{Proxmox: &proxmoxModel{Password: ptr("p")}}.resolve(env)
	_, _ = model{Mock: &mockModel{}}.resolve(env)
	_, _ = model{}.resolve(env)

	var resp provider.SchemaResponse
	New("test").Schema(t.Context(), provider.SchemaRequest{}, &resp)
	if diags := resp.Schema.ValidateImplementation(t.Context()); diags.HasError() {
		t.Fatal(diags)
	}
	docs := descriptions(resp.Schema.Attributes) + resp.Schema.MarkdownDescription
	for name := range asked {
		if !strings.Contains(docs, "`"+name+"`") {
			t.Errorf("no description names %s", name)
		}
	}
	for _, part := range strings.Split(docs, "`") {
		if (strings.HasPrefix(part, "VIRTRIGAUD_") || strings.HasPrefix(part, "LIBVIRT_") || strings.HasPrefix(part, "VSPHERE_") || strings.HasPrefix(part, "PROXMOX_VE_")) && !asked[part] {
			t.Errorf("a description names %s, which nothing reads", part)
		}
	}
}
