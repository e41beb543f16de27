package proxmox

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// landing is where something new goes.
type landing struct {
	node    string
	storage string
	facts   storageFacts
	world   world // of the node
}

// land chooses node and storage for what is neither a VM nor a VM's: the storage that is asked for, at the provider's node where that has it, else
// the provider's storages, else that with the most space. The storage takes content; suits says what else is in the way of one.
func (b *Backend) land(ctx context.Context, asked *string, content string, suits func(storageFacts) (attr, why string)) (landing, error) {
	nodes, complete, err := b.onlineNodes(ctx)
	if err != nil {
		return landing{}, err
	}
	var known, blame, refusal string
	for _, node := range nodes {
		w, err := b.worldOf(ctx, node, &backends.VMSpec{})
		if err != nil {
			return landing{}, err
		}
		for _, name := range b.preferred(w, asked) {
			facts, ok := w.Storages[name]
			if !ok {
				continue
			}
			known = name
			if !slices.Contains(facts.Content, content) {
				continue
			}
			if suits != nil {
				if attr, why := suits(facts); why != "" {
					blame, refusal = attr, why
					continue
				}
			}
			return landing{node: node, storage: name, facts: facts, world: w}, nil
		}
	}
	switch {
	case asked != nil && known == "" && !complete:
		return landing{}, backends.Errorf(backends.Transient, "", "", "no node that is online has the storage %q, and one of the cluster is not", *asked).At("storage")
	case asked != nil && known == "":
		return landing{}, backends.Errorf(backends.NotFound, "", "", "no node has a storage %q that is active", *asked).At("storage")
	case refusal != "" && asked != nil:
		return landing{}, invalid(backends.Path(blame), "storage %q: %s", *asked, refusal)
	case refusal != "":
		return landing{}, invalid(backends.Path(blame), "no storage suits: %s", refusal)
	case asked != nil:
		return landing{}, backends.Errorf(backends.Precondition, "", "", "the storage %q does not take content of the type %s", *asked, content).At("storage").
			Advise("Name another one, or switch the type on at the storage: pvesm set %s --content ...,%s", *asked, content)
	}
	return landing{}, backends.Errorf(backends.Precondition, "", "", "no storage takes content of the type %s", content).At("storage").
		Advise("Switch the type on at a storage: pvesm set STORAGE --content ...,%s", content)
}

// preferred are the names of storages in the order of choice.
func (b *Backend) preferred(w world, asked *string) []string {
	if asked != nil {
		return []string{*asked}
	}
	rank := func(name string) int {
		switch name {
		case b.cfg.ImageStorage:
			return 0
		case b.cfg.Storage:
			return 1
		}
		return 2
	}
	return slices.SortedFunc(slices.Values(w.names()), func(x, y string) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(w.Storages[y].Free, w.Storages[x].Free), strings.Compare(x, y))
	})
}
