// Package fault turns what vSphere answers when it refuses into errors with a code:
// the one classification that the driver has.
package fault

import (
	"context"
	"errors"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Wrap makes err, as govmomi returned it, a *backends.Error with a code, the operation and
// the object. An error that has a code already keeps it; nil stays nil.
func Wrap(err error, op, object string) error {
	if err == nil {
		return nil
	}
	var e *backends.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return backends.Wrap(err, op, object)
	}
	return &backends.Error{Code: codeOf(err), Op: op, Object: object, Err: err}
}

func codeOf(err error) backends.Code {
	switch {
	case fault.Is(err, &types.ManagedObjectNotFound{}):
		return backends.NotFound
	case fault.Is(err, &types.DuplicateName{}):
		return backends.Conflict
	case fault.Is(err, &types.InvalidPowerState{}):
		return backends.Precondition
	}
	return backends.Internal
}
