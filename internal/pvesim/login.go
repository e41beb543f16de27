package pvesim

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
