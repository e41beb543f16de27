package fault

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// link is one fault of a chain of causes.
type link struct {
	fault types.BaseMethodFault
	text  string // as vSphere localized it
}

// longest is how many causes are followed.
const longest = 10

// chain returns the fault that err is, then its cause, and so on; none where err is no fault.
func chain(err error) []link {
	l, ok := first(err)
	var all []link
	for ok && len(all) < longest {
		all = append(all, l)
		l, ok = cause(l.fault)
	}
	return all
}

// first finds the fault in an error's tree.
func first(err error) (link, bool) {
	switch e := err.(type) { //nolint:errorlint // this is the walk through what err wraps
	case nil:
		return link{}, false
	case types.HasLocalizedMethodFault:
		return localized(e.GetLocalizedMethodFault())
	case interface{ Fault() types.BaseMethodFault }:
		f := e.Fault()
		if soap.IsSoapFault(err) {
			text := soap.ToSoapFault(err).String
			if f == nil {
				f = &types.MethodFault{}
			}
			return link{f, text}, true
		}
		return link{f, ""}, f != nil
	case interface{ Unwrap() error }:
		return first(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if l, ok := first(one); ok {
				return l, true
			}
		}
	}
	return link{}, false
}

func localized(f *types.LocalizedMethodFault) (link, bool) {
	if f == nil || f.Fault == nil && f.LocalizedMessage == "" {
		return link{}, false
	}
	if f.Fault == nil {
		return link{&types.MethodFault{}, f.LocalizedMessage}, true
	}
	return link{f.Fault, f.LocalizedMessage}, true
}

// cause returns what a fault says it came from, in whichever field it does.
func cause(f types.BaseMethodFault) (link, bool) {
	if l, ok := localized(f.GetMethodFault().FaultCause); ok {
		return l, true
	}
	switch f := f.(type) {
	case *types.CannotAccessVmConfig:
		return localized(&f.Reason)
	case *types.CannotAccessVmDisk:
		return localized(&f.Fault)
	case *types.RDMPointsToInaccessibleDisk:
		return localized(&f.Fault)
	case *types.DisallowedMigrationDeviceAttached:
		return localized(&f.Fault)
	case *types.SnapshotIncompatibleDeviceInVm:
		return localized(&f.Fault)
	case *types.UnexpectedFault:
		return localized(f.Fault)
	case *types.NoCompatibleHost:
		return firstOf(f.Error)
	case *types.NoCompatibleHostWithAccessToDevice:
		return firstOf(f.Error)
	case *types.GenericDrsFault:
		return firstOf(f.HostFaults)
	case *types.HostConfigFailed:
		return firstOf(f.Failure)
	}
	return link{}, false
}

func firstOf(all []types.LocalizedMethodFault) (link, bool) {
	if len(all) == 0 {
		return link{}, false
	}
	return localized(&all[0])
}

// compose puts together what we say of the fault at index i and what vSphere says.
func compose(ours string, links []link, i int) string {
	theirs := messages(links[i])
	if theirs == "" && ours == "" {
		for _, l := range slices.Backward(links) {
			if theirs = messages(l); theirs != "" {
				break
			}
		}
	}
	switch {
	case ours == "" && theirs == "":
		return "vSphere answered: " + spaced(kind(links[i].fault))
	case ours == "":
		return theirs
	case theirs == "" || strings.Contains(ours, theirs):
		return ours
	}
	return ours + " (vSphere says: " + theirs + ")"
}

// most is how many of a fault's messages are shown.
const most = 3

// messages returns what vSphere says of a fault. Details come first: theirs is the
// order from the first cause to the last symptom.
func messages(l link) string {
	var all []string
	add := func(s string) {
		s = strings.TrimRight(strings.TrimSpace(s), ". ")
		if s != "" && !empty(s, l.fault) && !slices.Contains(all, s) && len(all) < most {
			all = append(all, s)
		}
	}
	for _, m := range l.fault.GetMethodFault().FaultMessage {
		add(m.Message)
	}
	if len(all) == 0 {
		add(l.text)
	}
	return strings.Join(all, "; ")
}

// empty reports whether a message says no more than the fault's name does.
func empty(s string, f types.BaseMethodFault) bool {
	name := kind(f)
	return s == name || s == "The operation failed: "+name || s == fmt.Sprintf("%T", f)
}

// kind returns the name of a fault's type.
func kind(f types.BaseMethodFault) string { return reflect.TypeOf(f).Elem().Name() }

var hump = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// spaced turns a name into words.
func spaced(name string) string { return strings.ToLower(hump.ReplaceAllString(name, "$1 $2")) }
