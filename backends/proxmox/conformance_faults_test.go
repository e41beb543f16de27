package proxmox_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// faults makes calls of the seam fail as Proxmox VE lets them fail: the first change that a method makes is refused.
type faults struct {
	t      *testing.T
	server *pvesim.Server
}

// changes are the routes by which methods of the seam change a VM first. A VM that runs is deleted by being stopped.
var changes = map[string]string{
	"CreateVM": creation,
	"SetPower": "POST /nodes/{node}/qemu/{vmid}/status/start",
	"DeleteVM": "POST /nodes/{node}/qemu/{vmid}/status/stop",
	"GetVMs":   "GET /nodes/{node}/qemu/{vmid}/pending",
}

// attempts is how often the driver sends a request that did not reach its node.
const attempts = 4

func (f *faults) Fail(method, vm string, code backends.Code, n int) {
	f.t.Helper()
	rule := pvesim.Fault{Route: changes[method], Status: http.StatusInternalServerError, Times: n}
	if rule.Route == "" {
		f.t.Fatalf("nobody knows how Proxmox VE refuses %s", method)
	}
	if method != "CreateVM" {
		part := "/qemu/" + f.id(vm) + "/"
		rule.Match = func(r *http.Request) bool { return strings.Contains(r.URL.Path, part) }
	}
	switch code {
	case backends.Locked:
		rule.Reason = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"
	case backends.Transient:
		rule.Status, rule.Reason, rule.Times = 595, "Connection refused", n*attempts
	case backends.Auth:
		rule.Status, rule.Reason = http.StatusForbidden, "Permission check failed (/vms/100, VM.PowerMgmt)"
	case backends.Exhausted:
		rule.Reason = "not enough free memory"
	case backends.Internal:
		rule.Reason = "Can't use an undefined value as a HASH reference"
	default:
		f.t.Fatalf("nobody knows how Proxmox VE tells %s", code)
	}
	f.server.Fault(rule)
}

// id is the VMID of a name.
func (f *faults) id(name string) string {
	f.t.Helper()
	c, err := pve.Open(f.t.Context(), pve.Config{Endpoints: []string{f.server.URL()}, APIToken: f.server.Token(), CACertificate: f.server.CACertificate()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var rows []struct {
		VMID pve.Int
		Name pve.Text
	}
	if err := c.Get(f.t.Context(), "/cluster/resources", url.Values{"type": {"vm"}}, &rows); err != nil {
		f.t.Fatal(err)
	}
	for _, r := range rows {
		if string(r.Name) == name {
			return strconv.FormatInt(int64(r.VMID), 10)
		}
	}
	f.t.Fatalf("there is no VM %q", name)
	return ""
}
