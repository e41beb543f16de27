package pvesim

import (
	"errors"
	"fmt"
	"time"
)

// ExpireTickets makes all tickets worthless, as the two hours that they last do.
func (s *Server) ExpireTickets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.renewKey()
}

// SetTaskTime sets how long tasks take that begin from now on, as Options.TaskTime does.
func (s *Server) SetTaskTime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.TaskTime = d
}

// SetLock gives a VM the lock that an operation leaves which works on it, "backup" or "migrate"; "" takes it away. The VM
// must be there.
func (s *Server) SetLock(vmid int, lock string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[vmid]
	if m == nil {
		panic(fmt.Sprintf("pvesim: no VM %d", vmid))
	}
	if lock == "" {
		delete(m.config, "lock")
		return
	}
	m.config["lock"] = lock
}

// Logins returns how often a client got a ticket, for a password or for another ticket.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.given
}

// RefusedLogins returns how often a login failed, be it for a wrong password or a wrong code.
func (s *Server) RefusedLogins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.refused
}

// AddUser makes a user, "tester@pve", with a password and no privileges.
func (s *Server) AddUser(id, password string) {
	s.mustCall("POST", "/access/users", params{"userid": id, "password": password})
}

// AddToken makes a token of a user and returns it as clients send it, "user@realm!name=secret". With privsep it has
// only the privileges that Grant gives it.
func (s *Server) AddToken(id, name string, privsep bool) string {
	made := s.mustCall("POST", "/access/users/"+id+"/token/"+name, params{"privsep": fmt.Sprint(bit(privsep))})
	m, _ := made.(map[string]any)
	return fmt.Sprintf("%s!%s=%s", id, name, m["value"])
}

// Grant gives a user, or a token "user@realm!name", the privileges at a path of the access tree, by a role made for
// it.
func (s *Server) Grant(authid, path string, privileges ...string) {
	s.mu.Lock()
	role := fmt.Sprintf("granted-%d", len(s.access.roles))
	s.mu.Unlock()
	privs := ""
	for _, p := range privileges {
		privs += p + ","
	}
	s.mustCall("POST", "/access/roles", params{"roleid": role, "privs": privs})
	kind := "users"
	if _, name := splitToken(authid); name != "" {
		kind = "tokens"
	}
	s.mustCall("PUT", "/access/acl", params{"path": path, "roles": role, kind: authid})
}

// SetTOTP gives a user a second factor with a secret in base 32.
func (s *Server) SetTOTP(id, secret string) {
	key, err := decodeSecret(secret)
	if err != nil {
		panic("pvesim: secret of a second factor: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.access.users[id]
	if u == nil {
		panic("pvesim: no user " + id)
	}
	u.second = []*factor{{id: "totp:0", secret: key, created: time.Now().Unix()}}
}

// TOTP returns the code of a user's second factor now.
func (s *Server) TOTP(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.users[id].second[0].code(time.Now())
}

// mustCall is call where a refusal is a mistake of who writes the test.
func (s *Server) mustCall(method, path string, p params) any {
	data, err := s.call(method, path, p)
	if err != nil {
		var r *refusal
		if errors.As(err, &r) && r.errors != nil {
			err = fmt.Errorf("%w %v", err, r.errors)
		}
		panic(fmt.Sprintf("pvesim: %s %s: %v", method, path, err))
	}
	return data
}
