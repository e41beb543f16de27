package proxmox

import (
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// SetQuiet says how long nothing must happen to a half-made image before it is taken for abandoned.
func SetQuiet(b backends.Backend, d time.Duration) { b.(*Backend).quiet = d } //nolint:forcetypeassert // it is one
