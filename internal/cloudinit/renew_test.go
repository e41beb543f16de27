package cloudinit

import (
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os/exec"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// A clone asks for addresses in the name of its MACs, except where it has static
// ones, and renews its machine id beside whatever vendor data it has.
func TestRenderClone(t *testing.T) {
	config := "#cloud-config\nbootcmd: [true]\n"
	for name, vendor := range map[string]*string{"no vendor data": nil, "vendor data": &config} {
		t.Run(name, func(t *testing.T) {
			in := Input{
				InstanceID: "i-1", Clone: true,
				NICs: []NIC{{Key: "lan", MAC: "52:54:00:00:00:01"}, {Key: "san", MAC: "52:54:00:00:00:02"}},
				Spec: &backends.VMSpec{
					Name: "web", CloudInit: &backends.CloudInit{VendorData: vendor},
					Networks: map[string]backends.NIC{"lan": {}, "san": {IPv4: &backends.IPConfig{Address: "10.0.0.5/24"}}},
				},
			}
			seed, err := Render(in)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(seed.NetworkConfig, "dhcp-identifier: mac"); n != 1 {
				t.Errorf("%d interfaces ask in the name of their MAC, want 1:\n%s", n, seed.NetworkConfig)
			}
			parts := []string{seed.VendorData}
			if vendor != nil {
				parts = bodies(t, seed.VendorData)
				if len(parts) != 2 || strings.TrimSpace(parts[0]) != strings.TrimSpace(config) {
					t.Fatalf("the parts are %q", parts)
				}
			}
			if got := parts[len(parts)-1]; strings.TrimSpace(got) != strings.TrimSpace(renewal) {
				t.Errorf("the boot hook is %q", got)
			}
			in.Clone = false
			plain, err := Render(in)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(plain.NetworkConfig, "dhcp-identifier") || plain.VendorData != str(vendor) {
				t.Errorf("a VM that is no clone gets %q and %q", plain.NetworkConfig, plain.VendorData)
			}
		})
	}
}

func TestRenewalIsShell(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(renewal)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// bodies are the parts of a message.
func bodies(t *testing.T, text string) []string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err != nil {
			return parts
		}
		var b strings.Builder
		if _, err := io.Copy(&b, p); err == nil {
			parts = append(parts, b.String())
		}
	}
}
