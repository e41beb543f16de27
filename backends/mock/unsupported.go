package mock

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// lacks refuses what no catalogue that the mock takes on claims: with the
// catalogue's note, or with the mock's own reason where another hypervisor has
// what the mock cannot pretend.
func (b *Backend) lacks(f backends.Feature, op, object string) error {
	if err := b.catalogue.Require(f, op, object); err != nil {
		return err
	}
	return backends.Errorf(backends.Unsupported, op, object, "the mock cannot imitate this")
}

// GuestExec answers Unsupported: the guest is pretended.
func (b *Backend) GuestExec(_ context.Context, id backends.ID, _ backends.GuestCommand) (backends.GuestResult, error) {
	return backends.GuestResult{}, backends.Errorf(backends.Unsupported, "run a command in the guest", backends.VMObject(string(id)),
		"the mock's guests are pretended and run nothing")
}

// Metrics answers Unsupported.
func (b *Backend) Metrics(context.Context, []backends.ID) (map[backends.ID]backends.Metrics, error) {
	return nil, b.lacks(backends.FeatureMetrics, "read metrics", "")
}

// Events answers Unsupported.
func (b *Backend) Events(_ context.Context, id backends.ID) ([]backends.Event, error) {
	return nil, b.lacks(backends.FeatureEvents, "read events", backends.VMObject(string(id)))
}
