package backends

import "errors"

// Vet returns the first thing that forbids changes on a hypervisor with this
// catalogue: Unsupported where a feature is missing, Invalid where a value is
// not taken or a change would lose data, each with its Path. Drivers call it
// before they touch anything, so that what a plan would refuse is refused also
// where there was no plan.
//
// For a creation, from is empty and changes are Requirements(to).
func Vet(cat Catalogue, from, to *VMSpec, changes []Change, op, object string) error {
	for _, f := range Check(cat, from, to, changes, CheckOptions{}) {
		if f.Severity != SeverityError {
			continue
		}
		code := Invalid
		if f.Feature != "" {
			code = Unsupported
		}
		return &Error{Code: code, Op: op, Object: object, Path: f.Path, Err: errors.New(f.Detail)}
	}
	return nil
}
