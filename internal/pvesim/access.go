package pvesim

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"time"
)

// access is what a cluster knows of its users and of what they may.
type access struct {
	users  map[string]*user // by user id
	groups map[string]*group
	roles  map[string]*role
	acl    map[string]*grants // by path
	realms map[string]section // by name; "type", "comment", ...

	password map[string]string // by user id

	key     []byte // signs tickets
	refused int    // logins with a wrong password or code
	given   int    // tickets given for a password
}

// user is one user. Its properties are those of the API, "" and absent being the same.
type user struct {
	enabled bool
	expire  int64 // seconds since 1970; 0 never
	options section
	tokens  map[string]*token
	second  []*factor
}

// token is one API token of a user.
type token struct {
	secret  string
	privsep bool
	expire  int64
	comment string
}

type group struct {
	comment string
	members map[string]bool
}

type role struct {
	special bool
	privs   map[string]bool
}

// grants are the roles that a path of the access tree gives, each with whether it goes on to what is below.
type grants struct {
	users, groups, tokens map[string]map[string]bool
}

func newAccess(version int) *access {
	a := &access{
		users:    map[string]*user{},
		groups:   map[string]*group{},
		roles:    builtinRoles(version),
		acl:      map[string]*grants{},
		password: map[string]string{"root@pam": rootPassword},
		realms: map[string]section{
			"pam": {"type": "pam", "comment": "Linux PAM standard authentication"},
			"pve": {"type": "pve", "comment": "Proxmox VE authentication server"},
		},
	}
	a.users["root@pam"] = &user{enabled: true, options: section{}, tokens: map[string]*token{
		rootTokenName: {secret: rootToken},
	}}
	a.renewKey()
	return a
}

// renewKey makes all tickets worthless.
func (a *access) renewKey() {
	a.key = make([]byte, 32)
	_, _ = rand.Read(a.key)
}

var (
	userPattern  = regexp.MustCompile(`^([^\s:/]+)@([A-Za-z][A-Za-z0-9.\-_]+)$`)
	tokenPattern = regexp.MustCompile(`^([^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+)!([A-Za-z][A-Za-z0-9.\-_]+)$`)
)

// verifyUsername refuses what is no user id, and returns the realm of one.
func verifyUsername(id string) (realm string, err error) {
	if len(id) < 3 {
		return "", die("user name '%s' is too short", id)
	}
	if len(id) > 64 {
		return "", die("user name '%s' is too long (%d > 64)", id, len(id))
	}
	parts := userPattern.FindStringSubmatch(id)
	if parts == nil {
		return "", die("value '%s' does not look like a valid user name", id)
	}
	return parts[2], nil
}

// splitToken takes a full token id apart; name is "" where it is none.
func splitToken(id string) (userid, name string) {
	if parts := tokenPattern.FindStringSubmatch(id); parts != nil {
		return parts[1], parts[2]
	}
	return id, ""
}

// user finds a user.
func (a *access) user(id string) (*user, error) {
	if _, err := verifyUsername(id); err != nil {
		return nil, err
	}
	if u := a.users[id]; u != nil {
		return u, nil
	}
	return nil, die("no such user ('%s')", id)
}

// active finds a user who may log in.
func (a *access) active(id string) (*user, error) {
	u, err := a.user(id)
	switch {
	case err != nil:
		return nil, err
	case !u.enabled:
		return nil, die("user '%s' is disabled", id)
	case u.expire != 0 && u.expire < time.Now().Unix():
		return nil, die("user '%s' access expired", id)
	}
	return u, nil
}

// token finds a user's token.
func (a *access) token(id, name string) (*token, error) {
	u, err := a.user(id)
	if err != nil {
		return nil, err
	}
	if t := u.tokens[name]; t != nil {
		return t, nil
	}
	return nil, die("no such token '%s' for user '%s'", name, id)
}

// newUUID is a random UUID, as secrets of tokens are.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
