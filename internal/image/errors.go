package image

import (
	"errors"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// named says of an error on which image it happened and, where the driver did
// not, which attribute it is about.
func named(err error, op string, m *model) error {
	object := backends.ImageObject(m.Name.ValueString())
	var e *backends.Error
	if !errors.As(backends.Wrap(err, op, object), &e) {
		return err
	}
	c := *e
	if c.Path == "" && c.Code == backends.Conflict {
		c.Path = "name"
	}
	return &c
}

// at blames an attribute where the driver blames none.
func at(err error, path backends.Path) error {
	var e *backends.Error
	if errors.As(err, &e) && e.Path == "" {
		return e.At(path)
	}
	return err
}
