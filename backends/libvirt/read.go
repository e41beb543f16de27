package libvirt

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// readers is how many definitions are read side by side.
const readers = 8

// ListVMs finds VMs. States come in one call; tags and the mark are in each
// domain's definition, so one more is read for every VM that the rest of the
// filter lets through.
func (b *Backend) ListVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	list, err := b.listVMs(ctx, filter)
	return list, backends.Wrap(err, "list VMs", "")
}

func (b *Backend) listVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	h, err := b.host(ctx)
	if err != nil {
		return nil, err
	}
	list := []backends.VMSummary{}
	if filter.Host != "" && filter.Host != h.hostname {
		return list, nil
	}
	all, err := b.overview(ctx, nil, rpc.DomainStatsState)
	if err != nil {
		return nil, err
	}
	var wanted []runtimeFacts
	for _, r := range all {
		if filter.Names != nil && !slices.Contains(filter.Names, r.dom.Name) {
			continue
		}
		if filter.Power != "" && r.power() != filter.Power {
			continue
		}
		wanted = append(wanted, r)
	}
	domains, errs := b.readDomains(ctx, wanted)
	for i, r := range wanted {
		if backends.CodeOf(errs[i]) == backends.NotFound {
			continue // gone since it was listed
		}
		s := backends.VMSummary{ID: r.id(), Name: r.dom.Name, Host: h.hostname, Power: r.power(), Tags: []string{}}
		switch d := domains[i]; {
		case errs[i] != nil && ctx.Err() != nil:
			return nil, errs[i]
		case errs[i] != nil:
			// A definition that cannot be read is somebody else's affair, but its name is taken.
		case d.mark != nil:
			s.Owned, s.Template = true, d.mark.Template
			s.Tags = append(s.Tags, d.mark.Tags...)
			slices.Sort(s.Tags)
		}
		if !containsAll(s.Tags, filter.Tags) {
			continue
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y backends.VMSummary) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(string(x.ID), string(y.ID)))
	})
	return list, nil
}

func containsAll(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// GetVMs reads VMs in bulk; see the package's comment for what it costs.
func (b *Backend) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	results, err := b.getVMs(ctx, ids, aspects)
	return results, backends.Wrap(err, "read VMs", "")
}

func (b *Backend) getVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	results := make(map[backends.ID]backends.Result, len(ids))
	asked := make(map[rpc.UUID][]backends.ID, len(ids)) // an id may be spelled in capitals
	var wanted []rpc.Domain
	for _, id := range ids {
		if _, twice := results[id]; twice {
			continue
		}
		uuid, ok := parseUUID(string(id))
		results[id] = backends.Result{Err: backends.Errorf(backends.NotFound, "read", backends.VMObject(string(id)), "there is no VM with this id")}
		if !ok {
			continue
		}
		if asked[uuid] == nil {
			wanted = append(wanted, rpc.Domain{UUID: uuid})
		}
		asked[uuid] = append(asked[uuid], id)
	}
	if len(wanted) == 0 {
		return results, nil
	}
	h, err := b.host(ctx)
	if err != nil {
		return nil, err
	}
	found, failed, err := b.find(ctx, wanted, func(of []rpc.Domain) ([]runtimeFacts, error) {
		return b.overview(ctx, of, rpc.DomainStatsState|rpc.DomainStatsBlock)
	})
	if err != nil {
		return nil, err
	}
	for uuid, err := range failed {
		for _, id := range asked[uuid] {
			results[id] = backends.Result{Err: backends.Wrap(err, "read", backends.VMObject(string(id)))}
		}
	}
	autostart := map[rpc.UUID]bool{}
	if aspects&backends.AspectConfig != 0 && len(found) > 0 {
		if autostart, err = b.domainsWith(ctx, rpc.ConnectListDomainsAutostart); err != nil {
			return nil, err
		}
	}
	domains, errs := b.readDomains(ctx, found)
	reads := make([]*reading, 0, len(found))
	for i, r := range found {
		one := &reading{facts: r, domain: domains[i], host: h, autostart: autostart[r.dom.UUID], err: errs[i]}
		reads = append(reads, one)
	}
	if err := b.complete(ctx, reads, aspects); err != nil {
		return nil, err
	}
	for _, r := range reads {
		result := backends.Result{VM: r.vm}
		if r.err != nil {
			result = backends.Result{Err: backends.Wrap(r.err, "read", backends.VMObject(r.facts.dom.Name))}
		}
		for _, id := range asked[r.facts.dom.UUID] {
			results[id] = result
		}
	}
	return results, nil
}

// find reads domains in bulk. That one is missing in the answer does not mean that it is gone:
// those are asked for one by one, and what libvirt says of each is in failed.
func (b *Backend) find(ctx context.Context, wanted []rpc.Domain, bulk func([]rpc.Domain) ([]runtimeFacts, error)) (found []runtimeFacts, failed map[rpc.UUID]error, err error) {
	if found, err = bulk(wanted); err != nil {
		return nil, nil, err
	}
	missing := absent(wanted, found)
	if len(missing) == 0 {
		return found, nil, nil
	}
	errs := make([]error, len(missing))
	indices := make([]int, len(missing))
	for i := range indices {
		indices[i] = i
	}
	each(indices, readers, func(i int) {
		_, errs[i] = query(ctx, b, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByUUID(missing[i].UUID) })
	})
	failed = map[rpc.UUID]error{}
	var there []rpc.Domain
	for i, dom := range missing {
		if errs[i] == nil {
			there = append(there, dom)
			continue
		}
		failed[dom.UUID] = errs[i]
	}
	if len(there) == 0 {
		return found, failed, nil
	}
	again, err := bulk(there)
	if err != nil {
		return nil, nil, err
	}
	for _, dom := range absent(there, again) {
		failed[dom.UUID] = backends.Errorf(backends.Transient, "", "", "the VM exists, but libvirt leaves it out of its statistics").
			Advise("Check that the user may read the VM (the access rules of libvirtd), or try again.")
	}
	return append(found, again...), failed, nil
}

// absent returns those of wanted that were not found.
func absent(wanted []rpc.Domain, found []runtimeFacts) []rpc.Domain {
	have := make(map[rpc.UUID]bool, len(found))
	for _, r := range found {
		have[r.dom.UUID] = true
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(d rpc.Domain) bool { return have[d.UUID] })
}

// reading is one VM on its way from libvirt's answers to a VM.
type reading struct {
	facts     runtimeFacts
	domain    *domain
	host      *hostFacts
	autostart bool
	vm        *backends.VM
	err       error
}

// complete makes the VMs, and asks what the aspects ask for beyond the definitions.
func (b *Backend) complete(ctx context.Context, reads []*reading, aspects backends.Aspects) error {
	reads = slices.DeleteFunc(slices.Clone(reads), func(r *reading) bool { return r.err != nil })
	pools, err := b.poolPathsFor(ctx, reads)
	if err != nil {
		return err
	}
	each(reads, readers, func(r *reading) { r.err = b.makeVM(ctx, r, aspects, pools) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if aspects&(backends.AspectRuntime|backends.AspectGuest) != 0 {
		return b.readAddresses(ctx, reads, aspects&backends.AspectGuest != 0)
	}
	return nil
}

// makeVM turns what was read into a VM.
func (b *Backend) makeVM(ctx context.Context, r *reading, aspects backends.Aspects, pools poolPaths) error {
	sz, err := b.completeSizes(ctx, r, pools)
	if err != nil {
		return err
	}
	d := r.domain
	vm := &backends.VM{
		ID:     r.facts.id(),
		UUID:   formatUUID(r.facts.dom.UUID),
		Config: d.observeSpec(sz, pools),
		Owned:  d.mark != nil,
		Power:  r.facts.power(),
		Host:   r.host.hostname,
		Status: statusWord(r.facts.state),
	}
	vm.Template = vm.Owned && d.mark.Template
	if aspects&backends.AspectConfig != 0 {
		vm.Config.Libvirt.Autostart = ptr(r.autostart)
	}
	if aspects&backends.AspectSeed != 0 {
		if err := b.readSeed(ctx, d, &vm.Config); err != nil {
			return err
		}
	}
	if d.mark != nil && d.mark.Pending != "" && isUp(r.facts.state) {
		if vm.Pending, err = b.isPending(ctx, r.facts.dom, d.mark); err != nil {
			return err
		}
	}
	d.observeStatus(vm, sz, pools)
	r.vm = vm
	return nil
}

// isPending reports whether the last deferred change still waits: the running
// domain started from an older definition, whose mark does not name it.
func (b *Backend) isPending(ctx context.Context, dom rpc.Domain, m *mark) (bool, error) {
	live, err := b.readDomain(ctx, dom, 0)
	if err != nil {
		return false, err
	}
	return live.mark == nil || live.mark.Pending != m.Pending, nil
}

// completeSizes looks at the volumes of disks that the statistics say nothing of: a
// stopped VM's whose file is gone, and what libvirt only opens for a running guest.
func (b *Backend) completeSizes(ctx context.Context, r *reading, pools poolPaths) (sizes, error) {
	sz := r.facts.sizes
	for i, key := range diskKeys(r.domain.xml, r.domain.mark) {
		target := targetOf(&r.domain.xml.Devices.Disks[i])
		if _, known := sz[target]; known || key == "" {
			continue
		}
		ref, _ := r.domain.volumeOf(i, key, pools)
		v, err := b.findVolume(ctx, ref, pathOf(&r.domain.xml.Devices.Disks[i]))
		switch {
		case err == nil:
			sz[target] = uint64(max(0, v.CapacityBytes))
		case isVolumeGone(err):
			// Left out: a plan makes it anew.
		case ctx.Err() != nil:
			return nil, err
		default:
			sz[target] = 0
		}
	}
	return sz, nil
}

func (b *Backend) findVolume(ctx context.Context, ref storage.Ref, path string) (storage.Volume, error) {
	if ref.IsZero() {
		return b.store.GetByPath(ctx, path)
	}
	return b.store.Get(ctx, ref)
}

// isVolumeGone reports whether an error means that a volume does not exist.
func isVolumeGone(err error) bool { return answered(err, rpc.ErrNoStorageVol) }

// readDomains reads definitions side by side.
func (b *Backend) readDomains(ctx context.Context, of []runtimeFacts) ([]*domain, []error) {
	domains, errs := make([]*domain, len(of)), make([]error, len(of))
	indices := make([]int, len(of))
	for i := range indices {
		indices[i] = i
	}
	each(indices, readers, func(i int) { domains[i], errs[i] = b.readDomain(ctx, of[i].dom, rpc.DomainXMLInactive) })
	return domains, errs
}

// each runs fn on all items, at most limit at a time, and waits for them.
func each[T any](items []T, limit int, fn func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, limit)
	for _, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			fn(item)
		})
	}
	wg.Wait()
}
