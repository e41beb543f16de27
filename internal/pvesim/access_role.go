package pvesim

import (
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /access/roles", listRoles)
	handle("POST /access/roles", createRole)
	handle("GET /access/roles/{roleid}", readRole)
	handle("PUT /access/roles/{roleid}", updateRole)
	handle("DELETE /access/roles/{roleid}", deleteRole)
}

// privileges by category, and by who is given them in the roles that come with Proxmox VE.
type privileges struct{ root, admin, user, audit string }

var builtinPrivileges = map[string]privileges{
	"Sys": {
		root:  "Sys.PowerMgmt Sys.Modify Sys.Incoming Sys.AccessNetwork",
		admin: "Sys.Console Sys.Syslog",
		audit: "Sys.Audit",
	},
	"Datastore": {
		admin: "Datastore.Allocate Datastore.AllocateTemplate",
		user:  "Datastore.AllocateSpace",
		audit: "Datastore.Audit",
	},
	"SDN":     {admin: "SDN.Allocate SDN.Audit", user: "SDN.Use", audit: "SDN.Audit"},
	"User":    {root: "Realm.Allocate", admin: "User.Modify Group.Allocate Realm.AllocateUser"},
	"Pool":    {admin: "Pool.Allocate", user: "Pool.Audit", audit: "Pool.Audit"},
	"Mapping": {admin: "Mapping.Modify", user: "Mapping.Use", audit: "Mapping.Audit"},
}

// vmPrivileges are the category that differs between versions.
func vmPrivileges(version int) privileges {
	p := privileges{
		admin: "VM.Config.Disk VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.HWType VM.Config.Options " +
			"VM.Allocate VM.Clone VM.Migrate VM.Snapshot VM.Snapshot.Rollback",
		user:  "VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.Backup VM.PowerMgmt",
		audit: "VM.Audit",
	}
	if version == 8 {
		p.admin += " VM.Monitor"
		return p
	}
	p.admin += " VM.GuestAgent.Unrestricted VM.Replicate"
	p.user += " VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite"
	p.audit += " VM.GuestAgent.Audit"
	return p
}

// builtinRoles are the roles that come with Proxmox VE.
func builtinRoles(version int) map[string]*role {
	roles := map[string]*role{"NoAccess": {special: true, privs: map[string]bool{}}}
	give := func(name, privs string) {
		if roles[name] == nil {
			roles[name] = &role{special: true, privs: map[string]bool{}}
		}
		for priv := range strings.FieldsSeq(privs) {
			roles[name].privs[priv] = true
		}
	}
	give("Administrator", "Permissions.Modify")
	give("PVETemplateUser", "VM.Clone VM.Audit")
	categories := maps.Clone(builtinPrivileges)
	categories["VM"] = vmPrivileges(version)
	for name, p := range categories {
		common := strings.Join([]string{p.admin, p.user, p.audit}, " ")
		give("Administrator", p.root+" "+common)
		give("PVEAdmin", common)
		give("PVE"+name+"Admin", common)
		if p.user != "" {
			give("PVE"+name+"User", p.user+" "+p.audit)
		}
		give("PVEAuditor", p.audit)
	}
	delete(roles["PVEAdmin"].privs, "Mapping.Modify")
	return roles
}

func listRoles(r *request) (any, error) {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.access.roles)) {
		role := r.access.roles[name]
		list = append(list, map[string]any{
			"roleid": name, "privs": strings.Join(slices.Sorted(maps.Keys(role.privs)), ","), "special": bit(role.special),
		})
	}
	return list, nil
}

func createRole(r *request) (any, error) {
	id := r.p["roleid"]
	if len(id) >= 3 && strings.EqualFold(id[:3], "PVE") {
		return nil, wrongParam("roleid", "cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
	}
	if r.access.roles[id] != nil {
		return nil, die("create role failed: role '%s' already exists", id)
	}
	role := &role{privs: map[string]bool{}}
	if err := r.addPrivileges(role, "create"); err != nil {
		return nil, err
	}
	r.access.roles[id] = role
	return nil, nil
}

// addPrivileges gives a role the privileges of the request.
func (r *request) addPrivileges(to *role, verb string) error {
	for _, priv := range splitList(r.p["privs"]) {
		if !r.access.roles["Administrator"].privs[priv] {
			return die("%s role failed: invalid privilege '%s'", verb, priv)
		}
		to.privs[priv] = true
	}
	return nil
}

func readRole(r *request) (any, error) {
	role := r.access.roles[r.p["roleid"]]
	if role == nil {
		return nil, die("role '%s' does not exist", r.p["roleid"])
	}
	shown := map[string]any{}
	for priv := range role.privs {
		shown[priv] = 1
	}
	return shown, nil
}

func updateRole(r *request) (any, error) {
	role, err := r.ownRole("modified", "update")
	if err != nil {
		return nil, err
	}
	changed := *role
	changed.privs = map[string]bool{}
	if r.p.flag("append") {
		changed.privs = maps.Clone(role.privs)
	}
	if err := r.addPrivileges(&changed, "update"); err != nil {
		return nil, err
	}
	*role = changed
	return nil, nil
}

func deleteRole(r *request) (any, error) {
	if _, err := r.ownRole("deleted", "delete"); err != nil {
		return nil, err
	}
	delete(r.access.roles, r.p["roleid"])
	return nil, nil
}

// ownRole is the role of the path, which has to be one that did not come with Proxmox VE.
func (r *request) ownRole(done, verb string) (*role, error) {
	id := r.p["roleid"]
	role := r.access.roles[id]
	switch {
	case role == nil:
		return nil, die("%s role failed: role '%s' does not exist", verb, id)
	case role.special:
		return nil, die("auto-generated role '%s' cannot be %s", id, done)
	}
	return role, nil
}
