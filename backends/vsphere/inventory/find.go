package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Find returns the object of a kind that name names: a name, or an inventory path, absolute or relative to its kind's
// root folder of the datacenter, or the end of one that is the only one to end so. None is NotFound with the names that come near, several
// are a Conflict that lists their paths. Neither has an attribute, an operation or an object yet: see backends.Error.At and backends.Wrap.
func (i *Inventory) Find(ctx context.Context, kind Kind, name string) (Object, error) {
	return again(ctx, i, func(x *Index) (Object, error) {
		n, err := x.find(name, nil, kind)
		if err != nil {
			return Object{}, err
		}
		return n.Object, nil
	})
}

// find returns the one object of kinds that name means, and of several that which fits, where
// only one does. All have to be of the default datacenter, unless name is a whole path.
func (x *Index) find(name string, fits func(*node) bool, kinds ...Kind) (*node, error) {
	all := x.match(name, kinds...)
	if kinds[0] == Network {
		all = filter(all, func(n *node) bool { return !n.net.uplink })
	}
	if fits != nil && len(all) > 1 {
		if fitting := filter(all, fits); len(fitting) > 0 {
			all = fitting
		}
	}
	switch len(all) {
	case 0:
		return nil, x.missing(name, kinds...)
	case 1:
		return all[0], nil
	}
	return nil, refusal(backends.Conflict, "", "%d %ss have the name %q: %s", len(all), kinds[0], name, paths(all)).
		Advise("Write the path of the one that is meant.")
}

func (x *Index) missing(name string, kinds ...Kind) error {
	where := ""
	if home := x.nodes[x.home]; home != nil && !strings.HasPrefix(name, "/") && kinds[0] != Datacenter {
		where = fmt.Sprintf(" in datacenter %q", home.Name)
	}
	known := x.names(kinds...)
	if strings.HasPrefix(name, "/") {
		known = known[:0]
		for _, n := range x.of(kinds...) {
			known = append(known, n.Path)
		}
	}
	switch close := near(name, known); {
	case len(known) == 0:
		return refusal(backends.NotFound, "", "there is no %s %q%s, and no other that the account may see", kinds[0], name, where)
	case len(close) == 1:
		return refusal(backends.NotFound, "", "there is no %s %q%s; a name like it is %s", kinds[0], name, where, quoted(close))
	case len(close) > 0:
		return refusal(backends.NotFound, "", "there is no %s %q%s; names like it are %s", kinds[0], name, where, quoted(close))
	default:
		return refusal(backends.NotFound, "", "there is no %s %q%s; there are %s", kinds[0], name, where, quoted(known))
	}
}

// refusal is an error that the caller gives an operation and an object.
func refusal(code backends.Code, at backends.Path, format string, args ...any) *backends.Error {
	return backends.Errorf(code, "", "", format, args...).At(at)
}

// blame gives err an attribute where it has none.
func blame(err error, at backends.Path) error {
	var e *backends.Error
	if !errors.As(err, &e) || e.Path != "" {
		return err
	}
	return e.At(at)
}

func filter(all []*node, keep func(*node) bool) []*node {
	var out []*node
	for _, n := range all {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

func paths(all []*node) string {
	out := make([]string, len(all))
	for i, n := range all {
		out[i] = n.Path
	}
	return quoted(out)
}

// within reports whether an object is in a datacenter.
func within(dc types.ManagedObjectReference) func(*node) bool {
	return func(n *node) bool { return n.Datacenter == dc }
}
