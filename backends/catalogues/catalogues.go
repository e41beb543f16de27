// Package catalogues holds the static capability tables of the drivers: what
// each claims before it has seen the hypervisor that it is connected to. It is
// data and pure rules, so that the mock can imitate a hypervisor and the docs
// can print every table without any SDK.
//
// A level here is a promise: the conformance suite fails where a claim has no
// passing case, and where something unsupported does not answer Unsupported.
package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// All returns the static catalogues of every driver there is, by name.
func All() map[b.Kind]b.Catalogue {
	return map[b.Kind]b.Catalogue{
		b.Mock:    Mock(),
		b.Libvirt: Libvirt(),
		b.VSphere: VSphere(),
		b.Proxmox: Proxmox(),
	}
}

func full(note ...string) b.Support    { return support(b.Full, note) }
func partial(note string) b.Support    { return b.Support{Level: b.Partial, Note: note} }
func no(note string) b.Support         { return b.Support{Level: b.Unavailable, Note: note} }
func notApplicable(n string) b.Support { return b.Support{Level: b.NotApplicable, Note: n} }

func support(l b.Level, note []string) b.Support {
	s := b.Support{Level: l}
	if len(note) > 0 {
		s.Note = note[0]
	}
	return s
}

// later is the note of what a hypervisor could do and this version does not.
const later = "Not in this version of the provider."

const proxmoxOnly = "These options exist on Proxmox VE only."
