package fault

import (
	"errors"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	checkCredentials = "Check username and password in the provider block's vsphere object, or VSPHERE_USER and VSPHERE_PASSWORD. " + //nolint:gosec // names of settings
		"A login is not tried twice, because wrong passwords lock accounts."
	grant = "Give the account that the provider logs in with a role that has it, on that object or on one above it with propagation to children."
)

// access judges what is about who asks.
func access(f types.BaseMethodFault, names map[types.ManagedObjectReference]string) (verdict, bool) {
	v := verdict{code: backends.Auth}
	switch f := f.(type) {
	case *types.NotAuthenticated:
		v.text, v.remedy = "vSphere no longer knows the session", "Check whether an administrator or a limit of sessions ends the account's sessions; then apply again."
	case *types.NoPermission:
		v.text, v.remedy = denied(f, names), grant
	case *types.PasswordExpired:
		v.text, v.remedy = "the account's password has expired", "Set a new password for the account."
	case *types.InvalidClientCertificate, *types.NoClientCertificate:
		v.text = "vSphere does not accept the client certificate"
	case *types.InvalidLogin:
		v.text, v.remedy = "user name or password is wrong, or the account is locked", checkCredentials
	case *types.AuthMinimumAdminPermission, *types.InvalidPrivilege, *types.SecurityError, *types.DvsNotAuthorized:
		v.text, v.remedy = "the account may not do this", grant
	case *types.NoPermissionOnHost:
		v.text = "vCenter may not do this on the host"
	case *types.GuestPermissionDenied:
		v.text = "the guest's user may not do this"
	case *types.InvalidGuestLogin:
		v.text, v.remedy = "the guest does not accept the user name and password", "Check the credentials of the guest's user."
	default:
		return verdict{}, false
	}
	return v, true
}

// denied says which privileges are missing on what.
func denied(f *types.NoPermission, names map[types.ManagedObjectReference]string) string {
	missing := missingPrivileges(f)
	parts := make([]string, 0, len(missing))
	for _, m := range missing {
		p := "privilege " + strings.Join(m.PrivilegeIds, ", ")
		if len(m.PrivilegeIds) == 0 {
			p = "a privilege"
		}
		if m.Entity.Value != "" {
			p += " on " + inWords(m.Entity, names)
		}
		parts = append(parts, p)
	}
	return "the account lacks " + strings.Join(parts, " and ")
}

// missingPrivileges returns what a refusal says is missing. vSphere before 7.0.3 names one
// privilege, later versions may list several.
func missingPrivileges(f *types.NoPermission) []types.NoPermissionEntityPrivileges {
	if len(f.MissingPrivileges) > 0 {
		return f.MissingPrivileges
	}
	one := types.NoPermissionEntityPrivileges{}
	if f.Object != nil {
		one.Entity = *f.Object
	}
	if f.PrivilegeId != "" {
		one.PrivilegeIds = []string{f.PrivilegeId}
	}
	return []types.NoPermissionEntityPrivileges{one}
}

// Denied returns the objects on which err says that privileges are missing. Who can look up
// their names hands them to WithNames.
func Denied(err error) []types.ManagedObjectReference {
	var all []types.ManagedObjectReference
	for _, l := range chain(err) {
		f, ok := l.fault.(*types.NoPermission)
		if !ok {
			continue
		}
		for _, m := range missingPrivileges(f) {
			if m.Entity.Value != "" {
				all = append(all, m.Entity)
			}
		}
	}
	return all
}

// named is an error whose objects have names.
type named struct {
	error
	names map[types.ManagedObjectReference]string
}

func (n *named) Unwrap() error { return n.error }

// WithNames returns err such that Wrap calls the objects by name.
func WithNames(err error, names map[types.ManagedObjectReference]string) error {
	if err == nil || len(names) == 0 {
		return err
	}
	return &named{err, names}
}

func names(err error) map[types.ManagedObjectReference]string {
	var n *named
	if errors.As(err, &n) {
		return n.names
	}
	return nil
}
