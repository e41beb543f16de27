package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// cpu sets processors. vSphere adds sockets to a running VM, never cores to a socket: where processors are to be
// added while it runs and no sockets are asked for, each core is therefore a socket of its own.
func (e *edit) cpu(ctx context.Context) error {
	have, want := e.from.CPU, e.to.CPU
	hot := want.HotAdd
	if value(want.MaxCores) > max(value(want.Cores), 1) {
		if hot != nil && !*hot && changed(have.HotAdd, hot) {
			return backends.Errorf(backends.Invalid, "", "", "processors up to cpu.max_cores are added while the VM runs, which cpu.hot_add = false forbids").At("cpu.max_cores")
		}
		hot = new(true)
	}
	if err := e.checkCPU(ctx); err != nil {
		return err
	}
	if changed(have.HotAdd, hot) {
		e.spec.CpuHotAddEnabled = hot
	}
	e.mark.MaxCores = value(want.MaxCores)
	if err := e.topology(have, want, value(hot)); err != nil {
		return err
	}
	if changed(have.ReservationMHz, want.ReservationMHz) || changed(have.LimitMHz, want.LimitMHz) || changed(have.Shares, want.Shares) {
		e.spec.CpuAllocation = allocation(want.ReservationMHz, want.LimitMHz, want.Shares)
	}
	if changed(have.Affinity, want.Affinity) {
		set, err := parseCPUs(*want.Affinity)
		if err != nil {
			return err
		}
		e.spec.CpuAffinity = &types.VirtualMachineAffinityInfo{AffinitySet: set}
	}
	if changed(e.from.NestedVirtualization, e.to.NestedVirtualization) {
		e.spec.NestedHVEnabled = e.to.NestedVirtualization
	}
	return nil
}

func (e *edit) topology(have, want backends.CPU, hot bool) error {
	if !e.creating && !changed(have.Cores, want.Cores) && !changed(have.Sockets, want.Sockets) &&
		!changed(have.HotAdd, &hot) && value(have.MaxCores) == value(want.MaxCores) {
		return nil
	}
	fresh := e.m == nil || changed(have.HotAdd, &hot) || value(have.MaxCores) != value(want.MaxCores)
	if !e.up() { // what the guest sees as sockets is fixed while it runs
		e.mark.Flat = hot && value(want.Sockets) <= 1 && (e.mark.Flat || fresh)
	}
	cpus, cores := int32(want.VCPUs()), int32(max(value(want.Cores), 1)) //nolint:gosec // Checked against what vSphere takes.
	if e.up() && value(want.Sockets) <= 1 {
		// More sockets of the size that the running VM has.
		e.mark.Flat = true
		cores = max(value(e.m.Config.Hardware.NumCoresPerSocket), 1)
		if cpus%cores != 0 {
			return backends.Errorf(backends.Precondition, "", "", "a running VM gets whole sockets, which have %d cores each, and %d cores are no multiple of that", cores, cpus).
				At("cpu.cores").Advise("Stop the VM first.")
		}
	} else if e.mark.Flat {
		// It asks for sockets, and those that the running VM has are of one core each.
		if e.up() && cores > 1 {
			return backends.Errorf(backends.Precondition, "", "", "each core of the running VM is a socket of its own, and %d cores of one socket can be made of them only while it is stopped", cores).
				At("cpu.sockets").Advise("Stop the VM first.")
		}
		e.mark.Flat, cores = !e.up(), 1
	}
	if e.m == nil || e.m.Config.Hardware.NumCPU != cpus {
		e.spec.NumCPUs = cpus
	}
	if e.m == nil || value(e.m.Config.Hardware.NumCoresPerSocket) != cores {
		e.spec.NumCoresPerSocket = &cores
	}
	return nil
}

func (e *edit) checkCPU(ctx context.Context) error {
	have, want := e.from.CPU, e.to.CPU
	switch {
	case value(want.Threads) > 1:
		return backends.Errorf(backends.Invalid, "", "", "virtual processors of vSphere have one thread each").At("cpu.threads")
	case want.Cores != nil && *want.Cores < 1:
		return backends.Errorf(backends.Invalid, "", "", "a VM needs at least one core").At("cpu.cores")
	case want.Sockets != nil && *want.Sockets < 1:
		return backends.Errorf(backends.Invalid, "", "", "a VM needs at least one socket").At("cpu.sockets")
	case want.VCPUs() > maxCPUs:
		return backends.Errorf(backends.Invalid, "", "", "%d processors are more than the %d that a VM of vSphere can have", want.VCPUs(), maxCPUs).At("cpu.cores")
	case changed(have.MaxCores, want.MaxCores) && *want.MaxCores < value(want.Cores):
		return backends.Errorf(backends.Invalid, "", "", "a maximum of %d is below the %d cores that the VM has", *want.MaxCores, *want.Cores).At("cpu.max_cores")
	case value(want.LimitMHz) > 0 && value(want.LimitMHz) < value(want.ReservationMHz):
		return backends.Errorf(backends.Invalid, "", "", "the limit of %d MHz is below the reservation of %d MHz", *want.LimitMHz, *want.ReservationMHz).At("cpu.limit_mhz")
	}
	for path, n := range map[backends.Path]*int64{"cpu.reservation_mhz": want.ReservationMHz, "cpu.limit_mhz": want.LimitMHz, "cpu.shares": want.Shares} {
		if value(n) < 0 {
			return backends.Errorf(backends.Invalid, "", "", "%d is less than 0, which is none", *n).At(path)
		}
	}
	if value(want.ReservationMHz) > 0 && changed(have.ReservationMHz, want.ReservationMHz) {
		return e.checkReservation(ctx, *want.ReservationMHz, "cpu.reservation_mhz", "MHz", func(r types.ResourcePoolRuntimeInfo) int64 { return r.Cpu.MaxUsage })
	}
	return nil
}

// maxCPUs is what a VM can have at most (VMware configuration maximums, vSphere 8).
const maxCPUs = 768

// checkReservation refuses what the resource pool can never give: vSphere would find out at the start.
func (e *edit) checkReservation(ctx context.Context, want int64, path backends.Path, unit string, most func(types.ResourcePoolRuntimeInfo) int64) error {
	if e.place.Pool.Ref.Value == "" {
		return nil
	}
	var pool mo.ResourcePool
	if err := property.DefaultCollector(e.conn.VIM()).RetrieveOne(ctx, e.place.Pool.Ref, []string{"runtime"}, &pool); err != nil {
		return fault.Wrap(err, "read the resource pool", "")
	}
	if limit := most(pool.Runtime); limit > 0 && want > limit {
		return backends.Errorf(backends.Exhausted, "", "", "resource pool %q has %d %s at most, and %d are to be reserved", e.place.Pool.Name, limit, unit, want).At(path)
	}
	return nil
}

// allocation is what is asked for of a resource; 0 is none. What is nil stays as it is.
func allocation(reservation, limit, shares *int64) *types.ResourceAllocationInfo {
	a := &types.ResourceAllocationInfo{Reservation: reservation, Limit: limit}
	if limit != nil && *limit == 0 {
		a.Limit = new(int64(-1))
	}
	if shares != nil {
		a.Shares = &types.SharesInfo{Level: types.SharesLevelNormal}
		if *shares > 0 {
			a.Shares = &types.SharesInfo{Level: types.SharesLevelCustom, Shares: int32(min(*shares, 1<<20))} //nolint:gosec // Bounded.
		}
	}
	return a
}

// observeAllocation is the reverse of allocation. Shares by level are none of anybody's.
func observeAllocation(a *types.ResourceAllocationInfo) (reservation, limit, shares *int64) {
	if a == nil {
		return nil, nil, nil
	}
	reservation = new(value(a.Reservation))
	limit = new(max(value(a.Limit), 0))
	shares = new(int64(0))
	if a.Shares != nil && a.Shares.Level == types.SharesLevelCustom {
		*shares = int64(a.Shares.Shares)
	}
	return reservation, limit, shares
}

func (m *machine) observeCPU(spec *backends.VMSpec) {
	hw := m.Config.Hardware
	cpus, cores := int64(hw.NumCPU), max(int64(value(hw.NumCoresPerSocket)), 1)
	c := backends.CPU{Cores: &cores, Sockets: new(max(cpus/cores, 1)), Threads: new(int64(1)), HotAdd: new(value(m.Config.CpuHotAddEnabled))}
	if m.mark != nil && m.mark.Flat {
		c.Cores, c.Sockets = &cpus, new(int64(1))
	}
	if m.mark != nil && m.mark.MaxCores > 0 {
		c.MaxCores = new(m.mark.MaxCores)
	}
	c.ReservationMHz, c.LimitMHz, c.Shares = observeAllocation(m.Config.CpuAllocation)
	c.Affinity = new("")
	if m.Config.CpuAffinity != nil {
		c.Affinity = new(formatCPUs(m.Config.CpuAffinity.AffinitySet))
	}
	spec.CPU = c
	spec.NestedVirtualization = new(value(m.Config.NestedHVEnabled))
}

// parseCPUs reads "0-3,8"; "" is every processor.
func parseCPUs(text string) ([]int32, error) {
	var set []int32
	if text == "" {
		return set, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || last < first || last >= 4096 {
			return nil, backends.Errorf(backends.Invalid, "", "", `%q names no processors of a host: it takes the form "0-3,8"`, text).At("cpu.affinity")
		}
		for n := first; n <= last; n++ {
			set = append(set, int32(n)) //nolint:gosec // Below 4096.
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// formatCPUs writes a set in its shortest form.
func formatCPUs(set []int32) string {
	set = slices.Clone(set)
	slices.Sort(set)
	var parts []string
	for i := 0; i < len(set); {
		j := i
		for j+1 < len(set) && set[j+1] == set[j]+1 {
			j++
		}
		part := fmt.Sprint(set[i])
		if j > i {
			part += fmt.Sprintf("-%d", set[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}
