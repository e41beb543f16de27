// Package fault turns what vSphere answers when it refuses into errors with a code:
// the one classification that the driver has.
//
// Faults come in three ways: as the answer to a call (a SOAP fault), as the end of a task,
// and as an HTTP status with messages from the REST API. Where a fault names a cause, the innermost that
// says more than "failed" decides, because it is what a user can act on. Facts about faults
// are those of the vSphere Web Services API reference.
package fault

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Wrap makes err, as govmomi returned it, a *backends.Error with a code, the operation and
// the object. An error that has a code already keeps it; nil stays nil.
//
// NotFound is about the object: where that is a VM, a file, host or network that is gone
// is a Precondition, so that nobody takes the VM for gone.
func Wrap(err error, op, object string) error {
	if err == nil {
		return nil
	}
	var done *backends.Error
	if errors.As(err, &done) {
		return backends.Wrap(err, op, object)
	}
	v := judge(err)
	if v.code == backends.NotFound && strings.HasPrefix(object, "VM ") && !v.machine {
		v.code = backends.Precondition
	}
	return &backends.Error{Code: v.code, Op: op, Object: object, Remedy: v.remedy, Err: &said{text: v.text, err: err}}
}

// WrapBulk is Wrap for a call about many objects. Its error is never NotFound, which everybody who waits for it would take
// for the end of his own, but Transient: what is asked for was there a moment ago.
func WrapBulk(err error, op, object string) error {
	err = Wrap(err, op, object)
	var done *backends.Error
	if !errors.As(err, &done) || done.Code != backends.NotFound {
		return err
	}
	c := *done
	c.Code = backends.Transient
	return &c
}

// Gone reports whether err says that the object does not exist.
func Gone(err error, ref types.ManagedObjectReference) bool {
	return slices.ContainsFunc(chain(err), func(l link) bool {
		f, ok := l.fault.(*types.ManagedObjectNotFound)
		return ok && f.Obj == ref
	})
}

// Code returns the code that Wrap gives err, "" for nil.
func Code(err error) backends.Code { return backends.CodeOf(Wrap(err, "", "")) }

// OfTask returns the error that a task ended with, or nil.
func OfTask(info *types.TaskInfo) error {
	if info == nil || info.Error == nil {
		return nil
	}
	return task.Error{LocalizedMethodFault: info.Error, Description: info.Description}
}

// verdict is what an error means.
type verdict struct {
	code    backends.Code
	text    string // in plain words
	remedy  string
	machine bool // NotFound is about a VM
}

// said is an error in plain words, which still wraps what vSphere answered.
type said struct {
	text string
	err  error
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.err }

// judge finds out what err means.
func judge(err error) verdict {
	links := chain(err)
	if len(links) > 0 {
		return ofChain(links, names(err))
	}
	if v, ok := ofREST(err); ok {
		return v
	}
	if v, ok := ofNetwork(err); ok {
		return v
	}
	switch {
	case errors.Is(err, context.Canceled):
		return verdict{code: backends.Canceled, text: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{code: backends.Timeout, text: "the time allowed is over"}
	}
	return verdict{code: backends.Internal, text: plain(err)}
}

// ofChain judges a fault with its causes: the innermost that is known decides.
func ofChain(links []link, names map[types.ManagedObjectReference]string) verdict {
	for i := len(links) - 1; i >= 0; i-- {
		v, known := classify(links[i], names)
		if !known || v.code == backends.Internal && i > 0 {
			continue
		}
		if v.code == backends.NotFound && i > 0 {
			// Something that the object needs is gone, not the object.
			v.code = backends.Precondition
		}
		v.text = compose(v.text, links, i)
		return v
	}
	return verdict{code: backends.Internal, text: compose("", links, len(links)-1)}
}

// classify judges one fault, each topic in a file of its own.
func classify(l link, names map[types.ManagedObjectReference]string) (verdict, bool) {
	if v, ok := access(l.fault, names); ok {
		return v, true
	}
	for _, topic := range []func(types.BaseMethodFault) (verdict, bool){
		existence, storage, capacity, state, guest, migration, device, config, service,
	} {
		if v, ok := topic(l.fault); ok {
			return v, true
		}
	}
	return byWords(l)
}
