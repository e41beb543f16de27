package pvesim

import (
	"net/http"
	"strings"
)

// login is who makes a request.
type login struct {
	name  string // "root@pam"
	token string // the token's own name, "" for a ticket
}

// authid is the name that UPIDs and owners carry: "root@pam!tf".
func (l *login) authid() string {
	if l.token != "" {
		return l.name + "!" + l.token
	}
	return l.name
}

func (l *login) root() bool { return l.name == "root@pam" && l.token == "" }

// authenticate finds out who makes a request.
func (s *Server) authenticate(h *http.Request, path string) (*login, error) {
	value, ok := strings.CutPrefix(h.Header.Get("Authorization"), "PVEAPIToken=")
	switch {
	case !ok:
		return nil, proxied(http.StatusUnauthorized, "No ticket")
	case value != s.Token():
		return nil, proxied(http.StatusUnauthorized, "Authentication failed!")
	}
	return &login{name: "root@pam", token: "tf"}, nil
}
