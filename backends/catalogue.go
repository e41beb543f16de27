package backends

import "slices"

// Level says how far a hypervisor has a feature.
type Level string

// The levels.
const (
	Full          Level = "full"
	NeedsRestart  Level = "restart" // works, at the price of a restart
	Partial       Level = "partial" // works within the limits that the note names
	Unavailable   Level = "unsupported"
	NotApplicable Level = "not_applicable" // the hypervisor has no such notion and needs none
)

// Claimed reports whether a level promises that the feature works, so that a
// conformance case must prove it.
func (l Level) Claimed() bool { return l == Full || l == NeedsRestart || l == Partial }

// Support is one cell of a catalogue.
type Support struct {
	Level Level
	Note  string // a sentence; why, where the level is not Full
}

// Catalogue is all that a driver claims. It is data and pure functions: reading
// it costs no call.
type Catalogue struct {
	Backend Kind
	// Support has an entry for every feature of Features.
	Support map[Feature]Support
	// Accepts lists the values that an attribute takes on this hypervisor, by
	// Path.Generic, such as "disks.bus"; numbers in decimal. An attribute without an entry takes any.
	Accepts map[string][]string
	// Lacks says, by Path.Generic, why an attribute cannot be had although its feature
	// can: a sentence for the user.
	Lacks map[string]string
	// Spelled says, by Path.Generic or SnapshotName, how names have to be written. One without an entry may be anything.
	Spelled map[string]Spelling
	// Reseeded says what a guest that has booted makes of a changed seed, where that can be more than nothing: a sentence for the user.
	Reseeded string
	// Frozen says why a VM that has snapshots cannot take a change, as a clause, or "" where
	// it can. Nil: snapshots are in nobody's way.
	Frozen func(c Change) string
	// LinkedKeepSize says that a disk has the size of what it shares content with copy-on-write,
	// as long as it does: drivers refuse another one, when the disk is made and later, as Invalid
	// or Precondition at its size_gib.
	LinkedKeepSize bool
	// Impact says how the driver carries out one change. Nil is DefaultImpact.
	Impact func(from, to *VMSpec, c Change) Impact
}

// For returns the support of a feature; one without an entry is unsupported.
func (c Catalogue) For(f Feature) Support {
	if s, ok := c.Support[f]; ok {
		return s
	}
	return Support{Level: Unavailable, Note: "This backend does not know the feature."}
}

// Supports reports whether the feature works at all.
func (c Catalogue) Supports(f Feature) bool { return c.For(f).Level.Claimed() }

// Narrow returns a copy in which a feature has another level, for what a driver
// learns of the hypervisor that it is connected to.
func (c Catalogue) Narrow(f Feature, level Level, note string) Catalogue {
	m := make(map[Feature]Support, len(c.Support))
	for k, v := range c.Support {
		m[k] = v
	}
	m[f] = Support{Level: level, Note: note}
	c.Support = m
	return c
}

// Require returns an Unsupported error that quotes the catalogue's note where
// the backend lacks the feature, else nil.
func (c Catalogue) Require(f Feature, op, object string) error {
	s := c.For(f)
	if s.Level.Claimed() {
		return nil
	}
	info, _ := f.Describe()
	name := info.Name
	if name == "" {
		name = string(f)
	}
	e := Errorf(Unsupported, op, object, "%s does not support %s", c.Backend, name)
	e.Remedy = s.Note
	return e
}

func (c Catalogue) impact(from, to *VMSpec, ch Change) Impact {
	if c.Impact != nil {
		return c.Impact(from, to, ch)
	}
	return DefaultImpact(from, to, ch)
}

// ImpactOf says how the connected hypervisor carries out one change of a VM.
func (c Catalogue) ImpactOf(from, to *VMSpec, ch Change) Impact { return c.impact(from, to, ch) }

// FrozenBy is Frozen, or "" where the catalogue has none.
func (c Catalogue) FrozenBy(ch Change) string {
	if c.Frozen == nil || ch.PartOfAddition() {
		return ""
	}
	return c.Frozen(ch)
}

func (c Catalogue) accepts(p Path, value string) (all []string, ok bool) {
	all, limited := c.Accepts[p.Generic()]
	return all, !limited || slices.Contains(all, value)
}
