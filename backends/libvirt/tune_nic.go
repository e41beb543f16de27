package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// kilobytesPerMbps converts megabits to libvirt's kilobytes, both a second and decimal.
const kilobytesPerMbps = 125

// setBandwidth bounds both directions of an interface; 0 is no bound.
func setBandwidth(d *libvirtxml.DomainInterface, mbps *int64) {
	if mbps == nil {
		return
	}
	d.Bandwidth = nil
	if *mbps > 0 {
		// Open vSwitch guarantees the average and bounds by the peak.
		bound := func() *libvirtxml.DomainInterfaceBandwidthParams {
			n := int(*mbps) * kilobytesPerMbps
			return &libvirtxml.DomainInterfaceBandwidthParams{Average: &n, Peak: ptr(n)}
		}
		d.Bandwidth = &libvirtxml.DomainInterfaceBandwidth{Inbound: bound(), Outbound: bound()}
	}
}

// observeBandwidth reads the bound back: the lower one, where the directions differ; nil where one
// of them has none.
func observeBandwidth(d *libvirtxml.DomainInterface) *int64 {
	b := d.Bandwidth
	if b == nil || b.Inbound == nil || b.Outbound == nil || deref(b.Inbound.Average) <= 0 || deref(b.Outbound.Average) <= 0 {
		return nil
	}
	return ptr(max(1, int64(min(*b.Inbound.Average, *b.Outbound.Average)/kilobytesPerMbps)))
}

func validateBandwidth(p backends.Path, nic backends.NIC) error {
	const most = 1 << 24 // 16 Tbit a second
	if n := deref(nic.BandwidthMbps); n < 0 || n > most {
		return invalid(p.Attr("bandwidth_mbps"), "%d Mbit a second is not a bound", n)
	}
	return nil
}

// limitNIC bounds an interface of a running VM, and of its definition.
func (e *edit) limitNIC(ctx context.Context, c backends.Change) error {
	i := findNIC(e.d.xml, e.d.mark, c.Key)
	if i < 0 {
		return backends.Errorf(backends.Precondition, "", "", "the VM has no network interface %q any more", c.Key).At(c.Path)
	}
	mac, rate := macOf(&e.d.xml.Devices.Interfaces[i]), uint32(deref(e.to.Networks[c.Key].BandwidthMbps)*kilobytesPerMbps) //nolint:gosec // validated
	var params []rpc.TypedParam
	for _, field := range []string{"inbound.average", "inbound.peak", "outbound.average", "outbound.peak"} {
		params = append(params, rpc.TypedParam{Field: field, Value: *rpc.NewTypedParamValueUint(rate)})
	}
	return at(e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetInterfaceParameters(e.dom, mac, params, uint32(both))
	}), c.Path)
}
