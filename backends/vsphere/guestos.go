package vsphere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// guestOS sets the guest operating system, of which vSphere derives what hardware it proposes and which tools it expects.
func (e *edit) guestOS() error {
	asked := e.to.GuestOS
	if asked == nil && e.m == nil {
		asked = new("linux")
	}
	if asked == nil || !e.creating && !changed(e.from.GuestOS, asked) {
		return nil
	}
	id := guestID(*asked, e.hardwareVersion())
	if !knownGuest(id) {
		return backends.Errorf(backends.Invalid, "", "", "vSphere has no guest operating system %q", *asked).
			At("guest_os").Advise(`Use "linux", "windows", "other", or an identifier of vSphere's own such as "ubuntu64Guest" or "windows2019srvNext_64Guest".`)
	}
	if e.m == nil || e.m.Config.GuestId != id {
		e.spec.GuestId = id
	}
	e.mark.GuestOS = ""
	if e.to.GuestOS != nil {
		e.mark.GuestOS = *e.to.GuestOS
	}
	return nil
}

// hardwareVersion is what the VM has or gets: where nobody says, what its place gives.
func (e *edit) hardwareVersion() int64 {
	if o := e.to.VSphere; o != nil && o.HardwareVersion != nil {
		return *o.HardwareVersion
	}
	if e.m != nil {
		return hardwareVersion(e.m.Config.Version)
	}
	return e.place.Hardware
}

// hardwareVersion is 19 of "vmx-19", 0 of what is none.
func hardwareVersion(version string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(version, "vmx-"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// guestID is vSphere's identifier of a portable name: the newest that the hardware version knows. Anything else is
// vSphere's own already.
func guestID(name string, version int64) string {
	type since struct {
		version int64
		id      types.VirtualMachineGuestOsIdentifier
	}
	var known []since
	switch name {
	case "linux":
		known = []since{
			{20, types.VirtualMachineGuestOsIdentifierOther6xLinux64Guest},
			{17, types.VirtualMachineGuestOsIdentifierOther5xLinux64Guest},
			{14, types.VirtualMachineGuestOsIdentifierOther4xLinux64Guest},
			{13, types.VirtualMachineGuestOsIdentifierOther3xLinux64Guest},
			{0, types.VirtualMachineGuestOsIdentifierOtherLinux64Guest},
		}
	case "windows":
		known = []since{
			{20, types.VirtualMachineGuestOsIdentifierWindows2022srvNext_64Guest},
			{17, types.VirtualMachineGuestOsIdentifierWindows2019srvNext_64Guest},
			{15, types.VirtualMachineGuestOsIdentifierWindows2019srv_64Guest},
			{0, types.VirtualMachineGuestOsIdentifierWindows9Server64Guest},
		}
	case "other":
		return string(types.VirtualMachineGuestOsIdentifierOtherGuest64)
	}
	for _, k := range known {
		if version >= k.version {
			return string(k.id)
		}
	}
	return name
}

func knownGuest(id string) bool {
	return slices.Contains(types.VirtualMachineGuestOsIdentifier("").Strings(), id)
}

// observeGuestOS tells the name that was asked for as long as it is true.
func (m *machine) observeGuestOS() *string {
	id := m.Config.GuestId
	if m.mark != nil && m.mark.GuestOS != "" && id != "" {
		for _, version := range []int64{hardwareVersion(m.Config.Version), 20, 17, 15, 14, 13, 0} {
			if guestID(m.mark.GuestOS, version) == id {
				return &m.mark.GuestOS
			}
		}
	}
	return &id
}
