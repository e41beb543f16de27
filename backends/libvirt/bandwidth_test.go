package libvirt

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestBandwidth bounds an interface on Open vSwitch, before and while its VM runs. On other networks the
// host's kernel has to be able to: where it is not, the VM is told so.
func TestBandwidth(t *testing.T) {
	l := libvirtlab.Start(t)
	l.UseOVS(t)
	b := openLab(t, l)
	spec := blank("narrow")
	spec.Networks = map[string]backends.NIC{"lan": {Network: ptr("ovs"), BandwidthMbps: ptr(int64(10))}}
	id := create(t, b, spec)
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	power(t, b, id, backends.PowerOn)
	bounded := func(bitsIn, kilobitsOut string) {
		t.Helper()
		for column, want := range map[string]string{"other_config list qos": "max-rate=" + bitsIn, "ingress_policing_rate list interface": ": " + kilobitsOut} {
			args := strings.Fields(column)
			out, err := l.Exec(t.Context(), append([]string{"ovs-vsctl", "--columns=" + args[0]}, args[1:]...)...)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.ReplaceAll(out, `"`, ""), want) {
				t.Errorf("the switch has %s, want %s", out, want)
			}
		}
	}
	bounded("10000000", "10000")
	spec.Networks["lan"] = backends.NIC{BandwidthMbps: ptr(int64(25))}
	change(t, b, id, spec, backends.Live)
	bounded("25000000", "25000")
	spec.Networks["lan"] = backends.NIC{BandwidthMbps: ptr(int64(0))}
	change(t, b, id, spec, backends.Live)
	if out, err := l.Exec(t.Context(), "ovs-vsctl", "list", "qos"); err != nil || out != "" {
		t.Errorf("without a bound the switch has %s, %v", out, err)
	}
	power(t, b, id, backends.PowerOff)

	spec.Networks["lan"] = backends.NIC{Network: ptr(libvirtlab.Network), BandwidthMbps: ptr(int64(10))}
	change(t, b, id, spec, backends.Cold)
	if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
		if e := wantCode(t, err, backends.Precondition); !strings.Contains(e.Remedy, "sch_") {
			t.Errorf("the remedy is %q", e.Remedy)
		}
	}
}
