package libvirt

import (
	"context"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// runtimeFacts is what libvirt's bulk statistics say of a domain.
type runtimeFacts struct {
	dom   rpc.Domain
	state rpc.DomainState
	saved bool // its memory is on disk
	sizes sizes
}

func (r runtimeFacts) id() backends.ID { return backends.ID(formatUUID(r.dom.UUID)) }

func (r runtimeFacts) power() backends.PowerState { return powerOf(r.state, r.saved) }

func powerOf(s rpc.DomainState, saved bool) backends.PowerState {
	switch s {
	case rpc.DomainRunning, rpc.DomainBlocked, rpc.DomainShutdown:
		return backends.Running
	case rpc.DomainPaused, rpc.DomainPmsuspended:
		return backends.Paused
	case rpc.DomainShutoff, rpc.DomainCrashed:
		if saved {
			return backends.Suspended
		}
		return backends.Stopped
	default:
		return backends.Unknown
	}
}

func statusWord(s rpc.DomainState) string {
	switch s {
	case rpc.DomainRunning:
		return "running"
	case rpc.DomainBlocked:
		return "idle"
	case rpc.DomainPaused:
		return "paused"
	case rpc.DomainShutdown:
		return "in shutdown"
	case rpc.DomainShutoff:
		return "shut off"
	case rpc.DomainCrashed:
		return "crashed"
	case rpc.DomainPmsuspended:
		return "pmsuspended"
	default:
		return "no state"
	}
}

// overview reads states, and disk sizes where kinds asks for them, of the domains given or
// of all, in one call, and one more for saved memory where a domain is stopped. What
// does not exist is left out.
func (b *Backend) overview(ctx context.Context, of []rpc.Domain, kinds rpc.DomainStatsTypes) ([]runtimeFacts, error) {
	records, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.DomainStatsRecord, error) {
		// A domain that is busy (migrating, say) tells what it can without waiting.
		return l.ConnectGetAllDomainStats(of, uint32(kinds), uint32(rpc.ConnectGetAllDomainsStatsNowait))
	})
	if err != nil {
		return nil, err
	}
	facts := make([]runtimeFacts, 0, len(records))
	stopped := false
	for _, r := range records {
		f := factsOf(r)
		stopped = stopped || !isUp(f.state)
		facts = append(facts, f)
	}
	if !stopped {
		return facts, nil
	}
	saved, err := b.domainsWith(ctx, rpc.ConnectListDomainsManagedsave)
	if err != nil {
		return nil, err
	}
	for i := range facts {
		facts[i].saved = saved[facts[i].dom.UUID]
	}
	return facts, nil
}

// factsOf reads one record of the statistics. The types of its values vary with
// libvirt's version.
func factsOf(r rpc.DomainStatsRecord) runtimeFacts {
	f := runtimeFacts{dom: r.Dom, sizes: sizes{}}
	names, capacities := map[string]string{}, map[string]uint64{}
	for _, p := range r.Params {
		if p.Field == "state.state" {
			if n, ok := number(p.Value.I); ok {
				f.state = rpc.DomainState(n)
			}
			continue
		}
		index, what, ok := strings.Cut(strings.TrimPrefix(p.Field, "block."), ".")
		if !ok || !strings.HasPrefix(p.Field, "block.") {
			continue
		}
		switch what {
		case "name":
			names[index], _ = p.Value.I.(string)
		case "capacity":
			if n, ok := number(p.Value.I); ok {
				capacities[index] = n
			}
		}
	}
	for index, size := range capacities {
		if name := names[index]; name != "" {
			f.sizes[name] = size
		}
	}
	return f
}

// number converts the value of a typed parameter.
func number(v any) (uint64, bool) {
	switch n := v.(type) {
	case int32:
		return uint64(max(0, n)), true
	case uint32:
		return uint64(n), true
	case int64:
		return uint64(max(0, n)), true
	case uint64:
		return n, true
	}
	return 0, false
}
