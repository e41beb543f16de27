package vsphere

import (
	"context"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/tags"
)

// readTags returns the tags of VMs, sorted: in one call for some hundreds, and one for each tag and category not seen before. On
// a stand-alone ESXi it returns what the marks say. Where the account may not read tags, a VM has no entry: they are not known.
func (b *Backend) readTags(ctx context.Context, ms []*machine) (map[backends.ID][]string, error) {
	all := make(map[backends.ID][]string, len(ms))
	if !b.conn.VCenter() {
		for _, m := range ms {
			all[m.id()] = append([]string{}, m.askedTags()...)
		}
		return all, nil
	}
	refs := make([]types.ManagedObjectReference, len(ms))
	for i, m := range ms {
		refs[i] = m.Self
	}
	client, err := b.conn.REST(ctx)
	if err != nil {
		return nil, unlessDenied(err)
	}
	has, err := b.tags.Of(ctx, client, refs)
	if err != nil {
		return nil, unlessDenied(err)
	}
	for _, m := range ms {
		all[m.id()] = tags.Spell(has[m.Self], m.askedTags())
	}
	return all, nil
}

// unlessDenied forgives that the account may not read tags, or that nothing answers for them.
func unlessDenied(err error) error {
	if slices.Contains([]backends.Code{backends.Auth, backends.Unsupported, backends.NotFound}, backends.CodeOf(err)) {
		return nil
	}
	return err
}

// setTags gives the VM the tags that want has and takes all others away, as far as they are vCenter's: see markTags.
func (b *Backend) setTags(ctx context.Context, m *machine, want []string) error {
	if !b.conn.VCenter() {
		return nil
	}
	client, err := b.conn.REST(ctx)
	if err == nil {
		err = b.tags.Set(ctx, client, m.Self, want)
	}
	return blame(backends.Wrap(err, "set the tags", m.object()), "tags")
}

// markTags is what the mark keeps of the tags that are asked for: all on a stand-alone ESXi, which has no others, and
// on vCenter those that would be told back in other words.
func (b *Backend) markTags(want []string) []string {
	if b.conn.VCenter() {
		return tags.Unusual(want)
	}
	want = slices.Clone(want)
	slices.Sort(want)
	return slices.Compact(want)
}

// askedTags are those that the mark keeps.
func (m *machine) askedTags() []string {
	if m.mark == nil {
		return nil
	}
	return m.mark.Tags
}
