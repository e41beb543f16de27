// Package vmschema is the Terraform schema of a virtual machine, one file per
// aspect. Each aspect has its attributes, the model that they decode into, and
// the two directions between model and seam: expand makes the part of a
// backends.VMSpec that the model asks for, flatten the model that a
// backends.VM shows.
//
// Models are plain Go values: nil is null. A plan is decoded after its unknown
// values were replaced by null, so in a spec made from it "not known yet" reads
// as "not asked for".
//
// Flattening never forgets: what a hypervisor does not tell keeps the value
// that state had.
package vmschema

// Mode says what a schema is for.
type Mode int

const (
	// Define is a VM made from an image, a template or nothing.
	Define Mode = iota
	// Inherit is a VM made from another: what is unset is the source's.
	Inherit
)
