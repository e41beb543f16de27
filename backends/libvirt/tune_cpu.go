package libvirt

import (
	"context"
	"math"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// The control groups that libvirt sets share processor time out in periods: within each, all
// threads of the VM together run for at most the quota. Both are in microseconds, and these are
// the kernel's bounds.
const (
	usualPeriod   = 100_000
	longestPeriod = 1_000_000
	leastQuota    = 1_000
)

// The weights that control groups of version 1 know. Version 2 takes 1 to 10000: what a host cannot
// do it says when the VM starts.
const (
	leastShares = 2
	mostShares  = 262144
)

// cpuQuota turns a limit in MHz into a quota: a host processor of hostMHz gives that many MHz when it
// runs all the time, so limit/hostMHz of a period is the limit. The period is made longer where the
// quota would be too short for the kernel.
func cpuQuota(limitMHz, hostMHz int64) (period, quota int64) {
	if limitMHz <= 0 || hostMHz <= 0 {
		return usualPeriod, -1 // no limit
	}
	for _, period = range []int64{usualPeriod, longestPeriod} {
		quota = int64(math.Round(float64(period) * float64(limitMHz) / float64(hostMHz)))
		if quota >= leastQuota {
			break
		}
	}
	return period, quota
}

// setCPUTune writes weight and limit of the VM as a whole, emulation included, and leaves what
// else tunes the processors. It notes in the mark what the limit was: the host's clock may be
// told differently next time.
func setCPUTune(d *libvirtxml.Domain, c backends.CPU, m *mark, hostMHz int64) {
	t := d.CPUTune
	if t == nil {
		t = &libvirtxml.DomainCPUTune{}
	}
	if c.Shares != nil {
		t.Shares = nil
		if *c.Shares > 0 {
			t.Shares = &libvirtxml.DomainCPUTuneShares{Value: uint(*c.Shares)}
		}
	}
	if c.LimitMHz != nil {
		period, quota := cpuQuota(*c.LimitMHz, hostMHz)
		t.GlobalPeriod, t.GlobalQuota = nil, nil
		if quota > 0 {
			t.GlobalPeriod = &libvirtxml.DomainCPUTunePeriod{Value: uint64(period)}
			t.GlobalQuota = &libvirtxml.DomainCPUTuneQuota{Value: quota}
		}
		m.noteCPULimit(*c.LimitMHz, period, quota)
	}
	if d.CPUTune != nil || t.Shares != nil || t.GlobalQuota != nil {
		d.CPUTune = t
	}
}

// limitMark is a limit as it was asked for, and what it was written as: while the definition says
// that, the limit is the one that was asked for.
type limitMark struct {
	Asked   int64 `xml:"asked,attr"`
	Written int64 `xml:"written,attr"`
	Period  int64 `xml:"period,attr,omitempty"`
}

func (m *mark) noteCPULimit(asked, period, quota int64) {
	m.CPULimit = &limitMark{Asked: asked, Written: quota, Period: period}
}

// observeCPUTune reads them back.
func observeCPUTune(d *libvirtxml.Domain, m *mark, hostMHz int64) (shares, limit *int64) {
	t := d.CPUTune
	if t == nil {
		t = &libvirtxml.DomainCPUTune{}
	}
	if t.Shares != nil && t.Shares.Value > 0 {
		shares = ptr(int64(t.Shares.Value))
	}
	period, quota := int64(usualPeriod), int64(-1)
	if t.GlobalPeriod != nil && t.GlobalPeriod.Value > 0 {
		period = int64(min(t.GlobalPeriod.Value, 1<<40))
	}
	if t.GlobalQuota != nil && t.GlobalQuota.Value > 0 {
		quota = t.GlobalQuota.Value
	}
	if m != nil && m.CPULimit != nil && m.CPULimit.Written == quota && (quota < 0 || m.CPULimit.Period == period) {
		return shares, ptr(m.CPULimit.Asked)
	}
	if quota < 0 || hostMHz <= 0 {
		return shares, nil
	}
	return shares, ptr(max(1, int64(math.Round(float64(quota)*float64(hostMHz)/float64(period)))))
}

func validateCPUTune(spec *backends.VMSpec, h *hostFacts) error {
	if s := spec.CPU.Shares; s != nil && *s != 0 && (*s < leastShares || *s > mostShares) {
		return invalid("cpu.shares", "%d is not a weight for processor time; it is %d to %d (1 to 10000 on hosts with control groups of version 2)", *s, leastShares, mostShares)
	}
	limit := spec.CPU.LimitMHz
	if limit == nil || *limit == 0 {
		return nil
	}
	if *limit < 0 {
		return invalid("cpu.limit_mhz", "%d MHz is not a limit", *limit)
	}
	if h.mhz <= 0 {
		return backends.Errorf(backends.Unsupported, "", "", "the host does not tell how fast its processors are, so MHz cannot be limited").At("cpu.limit_mhz")
	}
	if _, quota := cpuQuota(*limit, h.mhz); quota < leastQuota {
		return invalid("cpu.limit_mhz", "%d MHz is too little: the host gives a VM at least 1 ms of each second, which is %d MHz of its processors' %d MHz",
			*limit, h.mhz*leastQuota/longestPeriod+1, h.mhz)
	}
	return nil
}

// tuneCPU sets weight and limit of a running VM, and of its definition.
func (e *edit) tuneCPU(ctx context.Context, path backends.Path) error {
	var params []rpc.TypedParam
	switch path {
	case "cpu.shares":
		shares := deref(e.to.CPU.Shares)
		if shares == 0 {
			shares = 1024 // the kernel's own
		}
		params = append(params, ullong("cpu_shares", uint64(shares)))
	default:
		asked := deref(e.to.CPU.LimitMHz)
		period, quota := cpuQuota(asked, e.host.mhz)
		params = append(params, ullong("global_period", uint64(period)),
			rpc.TypedParam{Field: "global_quota", Value: *rpc.NewTypedParamValueLlong(quota)})
		e.d.mark.noteCPULimit(asked, period, quota)
	}
	return at(e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetSchedulerParametersFlags(e.dom, params, uint32(both))
	}), path)
}

func ullong(field string, v uint64) rpc.TypedParam {
	return rpc.TypedParam{Field: field, Value: *rpc.NewTypedParamValueUllong(v)}
}
