// Package ovf reads virtual appliances: OVF packages, as one archive (OVA) or as a descriptor with
// its files beside it, of the versions 0.9 to 2.0 and in the flavours of VMware, VirtualBox and
// oVirt.
//
// An archive is read once, from its beginning to its end, as [Open] says; nothing of it is kept. What
// a descriptor says is taken for what somebody else wrote: it is bounded in size, it defines no
// entities, and the names in it never lead out of the package.
//
// The manifest is held against every file that it names. A certificate, which signs the manifest, is
// not looked at: there is nobody who could say whom to trust.
//
// Errors are those of package diskimage: they name the package, the cause and, where there
// is one, the remedy.
package ovf

import (
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

func errorf(kind diskimage.Kind, format string, args ...any) *diskimage.Error {
	return &diskimage.Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}
