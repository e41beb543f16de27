package pvesim

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// data is an answer's data, where it is an object.
func (a answer) data() map[string]any {
	m, _ := a.body["data"].(map[string]any)
	return m
}

// rows is an answer's data, where it is a list.
func (a answer) rows() []map[string]any {
	var rows []map[string]any
	list, _ := a.body["data"].([]any)
	for _, el := range list {
		if m, ok := el.(map[string]any); ok {
			rows = append(rows, m)
		}
	}
	return rows
}

// fails asserts what an answer says of one parameter.
func (a answer) fails(t *testing.T, param, text string) {
	t.Helper()
	if errs, _ := a.body["errors"].(map[string]any); errs[param] != text {
		t.Errorf("errors %v, want %q of %s", a.body["errors"], text, param)
	}
}

// as is the client with other credentials.
func (c *client) as(header ...string) *client {
	other := *c
	other.header = http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		other.header.Set(header[i], header[i+1])
	}
	return &other
}

// byToken is the client with an API token.
func (c *client) byToken(token string) *client { return c.as("Authorization", "PVEAPIToken="+token) }

// login is the client with the ticket of a user.
func (c *client) login(user, password string) *client {
	c.t.Helper()
	a := c.as().want(200, "OK", "POST", "/access/ticket", "username="+url.QueryEscape(user)+"&password="+url.QueryEscape(password))
	return c.as("Cookie", "PVEAuthCookie="+fmt.Sprint(a.data()["ticket"]), "CSRFPreventionToken", fmt.Sprint(a.data()["CSRFPreventionToken"]))
}

func TestCredentials(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	for name, value := range map[string]string{
		"wrong secret": "PVEAPIToken=root@pam!tf=nonsense", "unknown token": "PVEAPIToken=root@pam!no=x", "unknown user": "PVEAPIToken=no@pam!tf=x",
		"malformed": "PVEAPIToken=nonsense", "no secret": "PVEAPIToken=root@pam!tf", "forged ticket": "PVEAuthCookie=PVE:root@pam:6B02A28A::AAAA",
	} {
		if a := c.as("Authorization", value).want(401, "Authentication failed!", "GET", "/version", ""); a.text != "" {
			t.Errorf("%s: body %q", name, a.text)
		}
	}
	c.as().want(401, "No ticket", "GET", "/version", "")
	c.as("Authorization", "Bearer x").want(401, "No ticket", "GET", "/version", "")
	c.as().want(200, "OK", "GET", "/access/domains", "")
	c.as().want(501, "method 'PATCH' not available", "PATCH", "/version", "")
	c.want(403, "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket.",
		"POST", "/access/ticket", "username=root@pam&password=x")
}

func TestTicket(t *testing.T) {
	s := Start(t, Options{})
	s.AddUser("tester@pve", "Secret123!")
	c := newClient(t, s)
	for _, form := range []string{"username=tester@pve&password=wrong", "username=nobody@pve&password=x", "username=tester&password=x", "username=tester@no&password=x"} {
		a := c.as().want(401, "authentication failure", "POST", "/access/ticket", form)
		if a.body["message"] != "authentication failure\n" {
			t.Errorf("message %q", a.body["message"])
		}
	}
	if n := s.RefusedLogins(); n != 4 {
		t.Errorf("%d refused logins", n)
	}
	c.as().want(200, "OK", "POST", "/access/ticket", "username=tester&realm=pve&password=Secret123!")

	u := c.login("tester@pve", "Secret123!")
	u.want(200, "OK", "GET", "/version", "")
	u.want(403, "Permission check failed (/pool/x, Pool.Allocate)", "POST", "/pools", "poolid=x")
	noToken := u.as("Cookie", u.header.Get("Cookie"))
	noToken.want(200, "OK", "GET", "/version", "")
	noToken.want(401, "Permission denied - invalid csrf token", "POST", "/pools", "poolid=x")
	u.as("Authorization", u.header.Get("Cookie")).want(200, "OK", "GET", "/version", "")

	// A ticket that is good makes another.
	ticket := strings.TrimPrefix(u.header.Get("Cookie"), "PVEAuthCookie=")
	c.as().want(200, "OK", "POST", "/access/ticket", "username=tester@pve&password="+url.QueryEscape(ticket))
	s.ExpireTickets()
	u.want(401, "Authentication failed!", "GET", "/version", "")
	c.as().want(401, "authentication failure", "POST", "/access/ticket", "username=tester@pve&password="+url.QueryEscape(ticket))

	u = c.login("tester@pve", "Secret123!")
	c.want(200, "OK", "PUT", "/access/users/tester@pve", "enable=0")
	u.want(401, "Authentication failed!", "GET", "/version", "")
}

func TestSecondFactor(t *testing.T) {
	s := Start(t, Options{})
	s.AddUser("tester@pve", "Secret123!")
	s.SetTOTP("tester@pve", "JBSWY3DPEHPK3PXP")
	c := newClient(t, s).as()
	const form = "username=tester@pve&password=Secret123!"

	a := c.want(200, "OK", "POST", "/access/ticket", form)
	challenge := fmt.Sprint(a.data()["ticket"])
	if fmt.Sprint(a.data()["NeedTFA"]) != "1" || a.data()["cap"] != nil || !strings.HasPrefix(challenge, "PVE:!tfa!") {
		t.Fatalf("no challenge: %v", a.body)
	}
	c.as("Cookie", "PVEAuthCookie="+challenge).want(401, "Authentication failed!", "GET", "/version", "")
	answer := "username=tester@pve&tfa-challenge=" + url.QueryEscape(challenge) + "&password=totp:"
	c.want(401, "authentication failure", "POST", "/access/ticket", answer+"x")
	a = c.want(200, "OK", "POST", "/access/ticket", answer+s.TOTP("tester@pve"))
	c.as("Cookie", "PVEAuthCookie="+fmt.Sprint(a.data()["ticket"])).want(200, "OK", "GET", "/version", "")

	c.want(200, "OK", "POST", "/access/ticket", form+"&otp=totp:"+s.TOTP("tester@pve"))
	for range codeLimit {
		c.want(401, "authentication failure", "POST", "/access/ticket", form+"&otp=totp:x")
	}
	c.want(401, "authentication failure", "POST", "/access/ticket", form+"&otp=totp:"+s.TOTP("tester@pve"))
	newClient(t, s).want(200, "OK", "PUT", "/access/users/tester@pve/unlock-tfa", "")
	c.want(200, "OK", "POST", "/access/ticket", form+"&otp=totp:"+s.TOTP("tester@pve"))
}

func TestPrivileges(t *testing.T) {
	s := Start(t, Options{VMs: 2})
	s.AddUser("tester@pve", "Secret123!")
	c := newClient(t, s)
	limited := c.byToken(s.AddToken("tester@pve", "limited", true))
	whole := c.byToken(s.AddToken("tester@pve", "whole", false))
	see := func(c *client) int { return len(c.want(200, "OK", "GET", "/cluster/resources", "type=vm").rows()) }
	if see(c) != 2 || see(whole) != 0 || see(limited) != 0 {
		t.Fatalf("seen without privileges: %d, %d of 2", see(whole), see(limited))
	}
	whole.want(403, "Permission check failed (/nodes/pve1, Sys.Audit)", "GET", "/nodes/pve1/status", "")

	// What a user has goes on to the tokens that are not apart.
	s.Grant("tester@pve", "/vms", "VM.Audit")
	if see(whole) != 2 || see(limited) != 0 {
		t.Errorf("a user's grant shows %d to the token that is not apart, %d to the other", see(whole), see(limited))
	}
	// One that is apart has what both have.
	s.Grant("tester@pve!limited", fmt.Sprintf("/vms/%d", bulkID), "VM.Audit", "VM.Allocate")
	if see(limited) != 1 {
		t.Errorf("a token's grant shows %d", see(limited))
	}
	limited.want(403, fmt.Sprintf("Permission check failed (/vms/%d, VM.Allocate)", bulkID), "DELETE", fmt.Sprintf("/nodes/pve1/qemu/%d", bulkID), "")

	// What is nearer replaces what is farther, and NoAccess closes.
	c.want(200, "OK", "PUT", "/access/acl", fmt.Sprintf("path=/vms/%d&roles=NoAccess&users=tester@pve", bulkID))
	if see(whole) != 1 {
		t.Errorf("NoAccess leaves %d", see(whole))
	}
	c.want(200, "OK", "PUT", "/access/acl", fmt.Sprintf("path=/vms/%d&roles=NoAccess&users=tester@pve&delete=1", bulkID))
	if see(whole) != 2 {
		t.Errorf("without NoAccess %d", see(whole))
	}
}

func TestPrivilegesByGroupAndPool(t *testing.T) {
	s := Start(t, Options{VMs: 2})
	s.AddUser("tester@pve", "Secret123!")
	c := newClient(t, s)
	u := c.byToken(s.AddToken("tester@pve", "tok", false))
	vm := fmt.Sprintf("/nodes/pve1/qemu/%d/firewall/options", bulkID)
	denied := fmt.Sprintf("Permission check failed (/vms/%d, VM.Audit)", bulkID)
	u.want(403, denied, "GET", vm, "")

	c.want(200, "OK", "POST", "/access/groups", "groupid=ops")
	c.want(200, "OK", "PUT", "/access/acl", "path=/&roles=PVEAuditor&groups=ops&propagate=0")
	c.want(200, "OK", "PUT", "/access/users/tester@pve", "groups=ops")
	u.want(403, denied, "GET", vm, "")
	c.want(200, "OK", "PUT", "/access/acl", "path=/&roles=PVEAuditor&groups=ops&propagate=1")
	u.want(200, "OK", "GET", vm, "")
	c.want(200, "OK", "DELETE", "/access/groups/ops", "")
	u.want(403, denied, "GET", vm, "")

	c.want(200, "OK", "POST", "/pools", "poolid=mine")
	c.want(200, "OK", "PUT", "/pools/mine", fmt.Sprintf("vms=%d", bulkID))
	c.want(200, "OK", "PUT", "/access/acl", "path=/pool/mine&roles=PVEVMUser&users=tester@pve")
	u.want(200, "OK", "GET", vm, "")
	if n := len(u.want(200, "OK", "GET", "/cluster/resources", "type=vm").rows()); n != 1 {
		t.Errorf("a pool of one VM shows %d", n)
	}
}

func TestGranting(t *testing.T) {
	s := Start(t, Options{})
	s.AddUser("tester@pve", "Secret123!")
	c := newClient(t, s)
	u := c.login("tester@pve", "Secret123!")
	c.want(400, "Parameter verification failed.", "PUT", "/access/acl", "path=/bogus/path&roles=PVEVMAdmin&users=tester@pve").
		fails(t, "path", "invalid ACL path '/bogus/path'")
	c.want(500, "ACL update failed: role 'NoRole' does not exist", "PUT", "/access/acl", "path=/vms&roles=NoRole&users=tester@pve")
	c.want(500, "ACL update failed: user 'nouser@pve' does not exist", "PUT", "/access/acl", "path=/vms&roles=PVEVMAdmin&users=nouser@pve")
	u.want(403, "Permission check failed (/vms, Permissions.Modify)", "PUT", "/access/acl", "path=/vms&roles=PVEVMAdmin&users=tester@pve")
	s.Grant("tester@pve", "/vms", "VM.Allocate")
	u.want(400, "Parameter verification failed.", "PUT", "/access/acl", "path=/vms/100&roles=PVEVMAdmin&users=tester@pve").
		fails(t, "role", "Cannot add role 'PVEVMAdmin' - requires 'Permissions.Modify' or superset of privileges.")
}

func TestRolesOfVersions(t *testing.T) {
	for version, want := range map[int]string{8: "VM.Monitor", 9: "VM.GuestAgent.Audit"} {
		s := Start(t, Options{Version: version})
		c := newClient(t, s)
		admin := c.want(200, "OK", "GET", "/access/roles/PVEVMAdmin", "").data()
		if fmt.Sprint(admin[want]) != "1" {
			t.Errorf("version %d: PVEVMAdmin without %s: %v", version, want, admin)
		}
		if version == 9 && admin["VM.Monitor"] != nil {
			t.Error("version 9 has VM.Monitor")
		}
	}
}

func TestUsersAndTokens(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	ok := func(method, path, form string) answer { return c.want(200, "OK", method, path, form) }
	ok("POST", "/access/users", "userid=u1@pve&password=Passw0rd!&email=a@example.com&comment=c&groups=")
	c.want(500, "create user failed: user 'u1@pve' already exists", "POST", "/access/users", "userid=u1@pve")
	ok("PUT", "/access/users/u1@pve", "enable=0")
	if d := ok("GET", "/access/users/u1@pve", "").data(); d["tokens"] != nil || d["comment"] != "c" || fmt.Sprint(d["enable"]) != "0" {
		t.Errorf("user %v", d)
	}
	c.want(500, "no such user ('nope@pve')", "PUT", "/access/users/nope@pve", "enable=0")
	made := ok("POST", "/access/users/u1@pve/token/tok1", "privsep=0&comment=x&expire=0").data()
	if info, _ := made["info"].(map[string]any); info["privsep"] != "0" || made["full-tokenid"] != "u1@pve!tok1" {
		t.Errorf("token %v", made)
	}
	c.want(400, "Parameter verification failed.", "POST", "/access/users/u1@pve/token/tok1", "").fails(t, "tokenid", "Token already exists.")
	if d := ok("PUT", "/access/users/u1@pve/token/tok1", "expire=1").data(); d["expire"] != "1" {
		t.Errorf("changed token %v", d)
	}
	ok("DELETE", "/access/users/u1@pve/token/tok1", "")
	c.want(500, "no such token 'tok1' for user 'u1@pve'", "DELETE", "/access/users/u1@pve/token/tok1", "")
	ok("POST", "/access/roles", "roleid=R1&privs=VM.Audit,VM.PowerMgmt")
	ok("PUT", "/access/roles/R1", "privs=VM.Clone&append=1")
	if d := ok("GET", "/access/roles/R1", "").data(); len(d) != 3 {
		t.Errorf("role %v", d)
	}
	c.want(500, "auto-generated role 'PVEAdmin' cannot be deleted", "DELETE", "/access/roles/PVEAdmin", "")
	ok("PUT", "/access/acl", "path=/vms/100&roles=R1&users=u1@pve&propagate=0")
	if rows := ok("GET", "/access/acl", "").rows(); len(rows) != 1 || rows[0]["roleid"] != "R1" || fmt.Sprint(rows[0]["propagate"]) != "0" {
		t.Errorf("access list %v", rows)
	}
	ok("DELETE", "/access/roles/R1", "")
	if rows := ok("GET", "/access/acl", "").rows(); len(rows) != 0 {
		t.Errorf("access list of a role that is gone: %v", rows)
	}
	ok("DELETE", "/access/users/u1@pve", "")
}
