package apischema

import "slices"

// common are the privileges of both versions.
var common = []string{
	"Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit",
	"Group.Allocate",
	"Mapping.Audit", "Mapping.Modify", "Mapping.Use",
	"Permissions.Modify",
	"Pool.Allocate", "Pool.Audit",
	"Realm.Allocate", "Realm.AllocateUser",
	"SDN.Allocate", "SDN.Audit", "SDN.Use",
	"Sys.AccessNetwork", "Sys.Audit", "Sys.Console", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt", "Sys.Syslog",
	"User.Modify",
	"VM.Allocate", "VM.Audit", "VM.Backup", "VM.Clone", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Cloudinit",
	"VM.Config.Disk", "VM.Config.HWType", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options",
	"VM.Console", "VM.Migrate", "VM.PowerMgmt", "VM.Snapshot", "VM.Snapshot.Rollback",
}

var (
	only8 = []string{"VM.Monitor"}
	only9 = []string{
		"VM.GuestAgent.Audit", "VM.GuestAgent.FileRead", "VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.FileWrite",
		"VM.GuestAgent.Unrestricted", "VM.Replicate",
	}
)

// Privileges are the names of all privileges, in order.
func (t *Table) Privileges() []string {
	names := slices.Concat(common, only8)
	if t.Version == 9 {
		names = slices.Concat(common, only9)
	}
	slices.Sort(names)
	return names
}

func (t *Table) privilege(name string) error {
	if slices.Contains(t.Privileges(), name) {
		return nil
	}
	return complaint("invalid privilege '%s'", name)
}
