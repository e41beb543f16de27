package proxmox

import (
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// SetQuiet says how long nothing must happen to a half-made image before it is taken for abandoned.
func SetQuiet(b backends.Backend, d time.Duration) { b.(*Backend).quiet = d } //nolint:forcetypeassert // it is one

// SetStale says how old a file on its way to a disk is that a killed run has left.
func SetStale(b backends.Backend, d time.Duration) { b.(*Backend).stale = d } //nolint:forcetypeassert // it is one
