package vsphere

import (
	"context"
	"errors"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// getImage reads an image; its errors name neither operation nor object.
func (b *Backend) getImage(ctx context.Context, id string) (backends.Image, error) {
	return backends.Image{}, backends.Errorf(backends.NotFound, "", "", "there is no image with this id")
}

// blame gives an error an attribute where it has none.
func blame(err error, path backends.Path) error {
	var e *backends.Error
	if !errors.As(err, &e) || e.Path != "" {
		return err
	}
	return e.At(path)
}
