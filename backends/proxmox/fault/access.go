package fault

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func asRefusal(err error, r **Refusal) bool { return errors.As(err, r) }

func asError(err error) (*backends.Error, bool) {
	var done *backends.Error
	ok := errors.As(err, &done)
	return done, ok
}

const (
	checkToken = "Check api_token in the provider block's proxmox object, or PROXMOX_VE_API_TOKEN: user@realm!name=secret. " + //nolint:gosec // names of settings
		"The user must be enabled and neither user nor token may have expired."
	checkPassword = "Check username (with its realm, as in root@pam) and password in the provider block's proxmox object, or PROXMOX_VE_USERNAME and " + //nolint:gosec // as above
		"PROXMOX_VE_PASSWORD. A login is not tried twice, because wrong passwords lock accounts."
	asRoot = "Only root@pam with its password may do this, an API token may not, whatever its privileges. Leave the setting out, or log in so."
)

// ofLogin judges a 401.
func ofLogin(r *Refusal) verdict {
	v := verdict{code: backends.Auth}
	text := r.words()
	switch {
	case r.Method == http.MethodPost && r.Path == "/access/ticket":
		v.text, v.remedy = "Proxmox VE does not accept user name and password ("+text+")", checkPassword
	case strings.Contains(text, "PVEVNC"):
		v.text, v.remedy = "Proxmox VE does not accept the console's ticket", "A console's ticket is valid for a short time only; ask for another one."
	case strings.Contains(r.Who, "!"):
		v.text, v.remedy = fmt.Sprintf("Proxmox VE does not accept the API token %s (%s)", r.Who, text), checkToken
	default:
		v.text, v.remedy = "Proxmox VE does not accept the login's ticket ("+text+")", checkPassword
	}
	return v
}

var denied = regexp.MustCompile(`^Permission check failed \((/[^,]*), ([A-Za-z.|, ]+)\)$`)

// ofDenial judges a 403: what the account lacks, where, and how it is given.
func ofDenial(r *Refusal) verdict {
	text := r.text()
	who := "the account" // a sentence that began with the name would get a capital
	if r.Who != "" {
		who += " " + r.Who
	}
	if m := denied.FindStringSubmatch(text); m != nil {
		return lacks(r.Who, who, m[1], strings.FieldsFunc(m[2], func(c rune) bool { return c == '|' || c == ',' || c == ' ' }))
	}
	switch inside, _ := strings.CutPrefix(text, "Permission check failed"); {
	case strings.Contains(inside, "not available with API token"):
		return verdict{code: backends.Auth, text: "Proxmox VE does not allow this with an API token", remedy: "Log in with username and password."}
	case strings.Contains(inside, "does not exist"):
		if v, ok := byWords(strings.Trim(inside, " ()")); ok {
			v.text = strings.Trim(inside, " ()")
			return v
		}
	case r.Method == http.MethodPost && (strings.HasSuffix(r.Path, "/qemu") || strings.HasSuffix(r.Path, "/clone")):
		// It names nothing here: the privilege is asked for on the VM's path and on that of its pool.
		return lacks(r.Who, who, "/vms", []string{"VM.Allocate"})
	}
	return verdict{code: backends.Auth, text: who + " may not do this (" + text + ")", remedy: "Give it a role with the privilege: pveum acl modify PATH --roles ROLE " + option(r.Who) + "."}
}

// deniedInside finds a lack of privileges that other words wrap: Proxmox VE asks for some only in a task, or with a file locked.
var deniedInside = regexp.MustCompile(`\b403 Permission check failed \((/[^,]*), ([A-Za-z.|, ]+)\)`)

// ofDenialInside judges a text in which who asked is told what is lacking.
func ofDenialInside(text, who string) (verdict, bool) {
	m := deniedInside.FindStringSubmatch(text)
	if m == nil {
		return verdict{}, false
	}
	return ofDenial(&Refusal{Message: strings.TrimPrefix(m[0], "403 "), Who: who}), true
}

// lacks says that one of some privileges is missing.
func lacks(who, name, path string, privs []string) verdict {
	v := verdict{code: backends.Auth, text: fmt.Sprintf("%s lacks the privilege %s on %s", name, alternatives(privs), path)}
	if strings.HasPrefix(path, "/vms/") || strings.HasPrefix(path, "/storage/") || strings.HasPrefix(path, "/pool/") {
		v.text += ", if that exists"
	}
	role := roleFor(privs)
	v.remedy = fmt.Sprintf("Run on a node: pveum acl modify %s --roles %s %s", path, role, option(who))
	if role == custom {
		v.remedy = fmt.Sprintf("Run on a node: pveum role add %s --privs %s; pveum acl modify %s --roles %s %s", custom, privs[0], path, custom, option(who))
	}
	if strings.Contains(who, "!") {
		v.remedy += ". A token with privilege separation needs it beside its user."
	}
	return v
}

func alternatives(privs []string) string {
	if len(privs) < 2 {
		return strings.Join(privs, "")
	}
	return strings.Join(privs[:len(privs)-1], ", ") + " or " + privs[len(privs)-1]
}

// option is how pveum is told who gets a role.
func option(who string) string {
	switch {
	case strings.Contains(who, "!"):
		return "--tokens '" + who + "'"
	case who != "":
		return "--users " + who
	}
	return "--users USER or --tokens 'USER!TOKEN'"
}

const custom = "Terraform"

// roleFor returns a role that comes with Proxmox VE and has one of the privileges, or the name for a new one.
func roleFor(privs []string) string {
	if len(privs) == 0 {
		return custom
	}
	switch p := privs[0]; {
	case p == "Sys.Audit":
		return "PVEAuditor"
	case p == "Datastore.Audit", p == "Datastore.AllocateSpace":
		return "PVEDatastoreUser"
	case strings.HasPrefix(p, "Datastore."):
		return "PVEDatastoreAdmin"
	case p == "SDN.Use":
		return "PVESDNUser"
	case strings.HasPrefix(p, "Pool."):
		return "PVEPoolAdmin"
	case p == "Mapping.Use", p == "Mapping.Audit":
		return "PVEMappingUser"
	case strings.HasPrefix(p, "VM."):
		return "PVEVMAdmin"
	}
	return custom
}
