package tfx

import (
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Unset says what a plan shows for a computed value that is not configured.
type Unset int

// The choices.
const (
	// Keep shows the prior value, also null; unknown where the object that
	// holds the attribute did not exist before.
	Keep Unset = iota
	// Renew shows unknown: the change may alter the value.
	Renew
	// Omit shows the prior value, null where there is none: an input that the
	// hypervisor does not fill in.
	Omit
	// Clear shows null.
	Clear
)

// Settle replaces the unknown values of a plan that stand for "not configured"
// by what rule chooses for their path. The framework turns every such value of
// a changed resource unknown; without Settle, adding one disk would announce
// new values for all others. What is unknown in the configuration stays so.
func Settle(planned, config, prior tftypes.Value, rule func(backends.Path) Unset) (tftypes.Value, error) {
	s := settler{rule: rule}
	v := s.value("", planned, &config, &prior, !prior.IsNull())
	return v, s.err
}

type settler struct {
	rule func(backends.Path) Unset
	err  error
}

// value settles v at p. config and prior are nil where they have no such value;
// existed says whether the object that holds v was there before.
func (s *settler) value(p backends.Path, v tftypes.Value, config, prior *tftypes.Value, existed bool) tftypes.Value {
	if !v.IsKnown() {
		if config != nil && !config.IsNull() { // configured, or unknown there too
			return v
		}
		return s.unset(p, v, prior, existed)
	}
	if v.IsNull() {
		return v
	}
	switch v.Type().(type) {
	case tftypes.Object, tftypes.Map:
		return s.children(p, v, config, prior)
	case tftypes.List:
		return s.elements(p, v, config, prior)
	}
	return v
}

func (s *settler) unset(p backends.Path, v tftypes.Value, prior *tftypes.Value, existed bool) tftypes.Value {
	choice := s.rule(p)
	switch {
	case choice == Renew:
		return v
	case choice == Clear:
		return tftypes.NewValue(v.Type(), nil)
	case existed && prior != nil:
		return *prior
	case choice == Omit:
		return tftypes.NewValue(v.Type(), nil)
	}
	return v
}

func (s *settler) children(p backends.Path, v tftypes.Value, config, prior *tftypes.Value) tftypes.Value {
	_, isMap := v.Type().(tftypes.Map)
	vs, cs, ps := s.members(v), s.optional(config), s.optional(prior)
	for name, child := range vs {
		at := p.Attr(name)
		if isMap {
			at = p.Key(name)
		}
		vs[name] = s.value(at, child, lookup(cs, name), lookup(ps, name), ps != nil)
	}
	return tftypes.NewValue(v.Type(), vs)
}

func (s *settler) elements(p backends.Path, v tftypes.Value, config, prior *tftypes.Value) tftypes.Value {
	vs := s.list(&v)
	cs, ps := s.list(config), s.list(prior)
	for i, child := range vs {
		vs[i] = s.value(p, child, at(cs, i), at(ps, i), i < len(ps))
	}
	return tftypes.NewValue(v.Type(), vs)
}

func (s *settler) members(v tftypes.Value) map[string]tftypes.Value {
	var out map[string]tftypes.Value
	if err := v.As(&out); err != nil && s.err == nil {
		s.err = err
	}
	return maps.Clone(out) // As shares the value's own map, which belongs to the request
}

// optional is members, or nil where v is absent, null or unknown.
func (s *settler) optional(v *tftypes.Value) map[string]tftypes.Value {
	if v == nil || v.IsNull() || !v.IsKnown() {
		return nil
	}
	return s.members(*v)
}

func (s *settler) list(v *tftypes.Value) []tftypes.Value {
	if v == nil || v.IsNull() || !v.IsKnown() {
		return nil
	}
	var out []tftypes.Value
	if err := v.As(&out); err != nil && s.err == nil {
		s.err = err
	}
	return slices.Clone(out)
}

func lookup(m map[string]tftypes.Value, name string) *tftypes.Value {
	if v, ok := m[name]; ok {
		return &v
	}
	return nil
}

func at(l []tftypes.Value, i int) *tftypes.Value {
	if i < len(l) {
		return &l[i]
	}
	return nil
}

// WithoutUnknowns replaces every unknown value by null, so that a plan can be
// decoded into plain Go values. A list or set with anything unknown in it is
// null as a whole, and so is a map of plain values: half a list says nothing.
// replaced reports whether there was any.
func WithoutUnknowns(v tftypes.Value) (known tftypes.Value, replaced bool, err error) {
	s := settler{}
	known = s.known(v)
	return known, !v.IsFullyKnown(), s.err
}

func (s *settler) known(v tftypes.Value) tftypes.Value {
	if v.IsFullyKnown() {
		return v
	}
	if v.IsKnown() && !v.IsNull() && keyedByName(v.Type()) {
		vs := s.members(v)
		for name, child := range vs {
			vs[name] = s.known(child)
		}
		return tftypes.NewValue(v.Type(), vs)
	}
	return tftypes.NewValue(v.Type(), nil)
}

// keyedByName reports whether a type is an object or a map of objects.
func keyedByName(t tftypes.Type) bool {
	switch t := t.(type) {
	case tftypes.Object:
		return true
	case tftypes.Map:
		_, objects := t.ElementType.(tftypes.Object)
		return objects
	}
	return false
}

// OnlyKnown replaces every attribute of an object that has anything unknown, or
// a list with a null element, in it by null: what is left can be judged by
// itself.
func OnlyKnown(v tftypes.Value) (tftypes.Value, error) {
	s := settler{}
	vs := s.optional(&v)
	if vs == nil {
		return tftypes.NewValue(v.Type(), nil), s.err
	}
	for name, child := range vs {
		if !child.IsFullyKnown() || s.hasNullElement(child) {
			vs[name] = tftypes.NewValue(child.Type(), nil)
		}
	}
	return tftypes.NewValue(v.Type(), vs), s.err
}

// hasNullElement reports whether a list, set or map of plain values in v has a
// null element, which plain Go values cannot hold.
func (s *settler) hasNullElement(v tftypes.Value) bool {
	if v.IsNull() {
		return false
	}
	var children []tftypes.Value
	plain := true
	switch t := v.Type().(type) {
	case tftypes.Object:
		plain, children = false, slices.Collect(maps.Values(s.members(v)))
	case tftypes.Map:
		plain, children = !keyedByName(t), slices.Collect(maps.Values(s.members(v)))
	case tftypes.List, tftypes.Set:
		children = s.list(&v)
	}
	return slices.ContainsFunc(children, func(c tftypes.Value) bool { return plain && c.IsNull() || s.hasNullElement(c) })
}

// Conform returns what may be written to state after an apply: everything that
// the plan knew, and for what it did not know the observed value. Terraform
// accepts nothing else; a difference between plan and hypervisor is drift, which
// the next read shows.
func Conform(planned, observed tftypes.Value) (tftypes.Value, error) {
	s := settler{}
	v := s.conform(planned, &observed)
	return v, s.err
}

func (s *settler) conform(planned tftypes.Value, observed *tftypes.Value) tftypes.Value {
	if !planned.IsKnown() {
		if observed == nil || !observed.IsFullyKnown() {
			return tftypes.NewValue(planned.Type(), nil)
		}
		return *observed
	}
	if planned.IsNull() || planned.IsFullyKnown() {
		return planned
	}
	switch planned.Type().(type) {
	case tftypes.Object, tftypes.Map:
		vs, os := s.members(planned), s.optional(observed)
		for name, child := range vs {
			vs[name] = s.conform(child, lookup(os, name))
		}
		return tftypes.NewValue(planned.Type(), vs)
	case tftypes.List:
		vs, os := s.list(&planned), s.list(observed)
		for i, child := range vs {
			vs[i] = s.conform(child, at(os, i))
		}
		return tftypes.NewValue(planned.Type(), vs)
	}
	return s.known(planned)
}
