package pvesim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("GET /access/ticket", func(*request) (any, error) { return nil, nil })
	handle("POST /access/ticket", createTicket)
	handle("PUT /access/password", changePassword)
}

// ticketLife is how long a ticket is good.
const ticketLife = 2 * time.Hour

// secondFactor marks the ticket of who gave only the password.
const secondFactor = "!tfa!"

// sign signs a text. A real signature is RSA's, 256 bytes.
func (a *access) sign(text string) string {
	var sum []byte
	for i := range 4 {
		mac := hmac.New(sha512.New, a.key)
		fmt.Fprintf(mac, "%d:%s", i, text)
		sum = mac.Sum(sum)
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// ticket makes a ticket: of a user, or of a challenge to one.
func (a *access) ticket(data, to string) string {
	text := fmt.Sprintf("PVE:%s:%08X", strings.ReplaceAll(data, ":", "%3A"), time.Now().Unix())
	return text + "::" + a.sign(text+":"+to)
}

// verifyTicket returns what a ticket was made of, where it is good.
func (a *access) verifyTicket(ticket, to string) (data string, ok bool) {
	text, signature, found := strings.Cut(ticket, "::")
	parts := strings.Split(text, ":")
	if !found || len(parts) != 3 || parts[0] != "PVE" || !hmac.Equal([]byte(signature), []byte(a.sign(text+":"+to))) {
		return "", false
	}
	at, err := strconv.ParseInt(parts[2], 16, 64)
	age := time.Since(time.Unix(at, 0))
	if err != nil || age < -5*time.Minute || age > ticketLife {
		return "", false
	}
	data = strings.ReplaceAll(parts[1], "%3A", ":")
	return data, to != "" || !strings.HasPrefix(data, secondFactor)
}

// csrf is the token that a request that changes something needs beside the ticket.
func (a *access) csrf(name string) string {
	return a.csrfAt(name, fmt.Sprintf("%08X", time.Now().Unix()))
}

func (a *access) csrfAt(name, at string) string {
	mac := hmac.New(sha256.New, a.key)
	fmt.Fprintf(mac, "%s:%s", at, name)
	return at + ":" + base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

func (a *access) verifyCSRF(name, value string) bool {
	at, _, ok := strings.Cut(value, ":")
	return ok && hmac.Equal([]byte(value), []byte(a.csrfAt(name, at)))
}

// createTicket is a login: with a password, with a ticket that is still good, or with the code that a challenge
// asks for. What is wrong is not said.
func createTicket(r *request) (any, error) {
	name := r.p["username"]
	if r.p["realm"] != "" {
		name += "@" + r.p["realm"]
	}
	challenge, err := r.access.login(name, r.p)
	if err != nil {
		r.access.refused++
		return nil, &refusal{status: http.StatusUnauthorized, message: "authentication failure\n"}
	}
	answer := map[string]any{"username": name, "CSRFPreventionToken": r.access.csrf(name)}
	if challenge != "" {
		answer["NeedTFA"] = 1
		answer["ticket"] = r.access.ticket(secondFactor+challenge, name)
		return answer, nil
	}
	r.access.given++
	answer["ticket"] = r.access.ticket(name, "")
	answer["cap"] = r.capabilities(name)
	if _, audits := r.permissions(name, "/")["Sys.Audit"]; audits && len(r.nodes) > 1 {
		answer["clustername"] = clusterName
	}
	return answer, nil
}

// login checks credentials. It returns the challenge for a second factor where that has to follow.
func (a *access) login(name string, p params) (challenge string, err error) {
	wrong := die("wrong")
	u, err := a.active(name)
	if err != nil {
		return "", err
	}
	password := p["password"]
	if p.has("tfa-challenge") {
		if data, ok := a.verifyTicket(p["tfa-challenge"], name); !ok || !strings.HasPrefix(data, secondFactor) || p.has("otp") {
			return "", wrong
		}
		return "", u.verifyCode(password)
	}
	if by, ok := a.verifyTicket(password, ""); ok && (by == name || by == "root@pam") {
		return "", nil
	}
	if known, ok := a.password[name]; !ok || known != password {
		return "", wrong
	}
	switch {
	case len(u.second) == 0 && p.has("otp"):
		return "", wrong
	case len(u.second) == 0:
		return "", nil
	case p.has("otp"):
		return "", u.verifyCode(p["otp"])
	}
	return `{"totp":true}`, nil
}

// capabilities are the privileges that the user interface asks for.
func (c *cluster) capabilities(name string) map[string]any {
	tops := map[string][]string{
		"vms": {"VM."}, "access": {"User.", "Group."}, "storage": {"Datastore."}, "nodes": {"Sys."},
		"sdn": {"SDN."}, "dc": {"Sys.Audit", "Sys.Modify", "SDN."}, "mapping": {"Mapping."},
	}
	found := map[string]any{}
	for top := range tops {
		found[top] = map[string]any{}
	}
	paths := map[string]bool{"/": true, "/nodes": true, "/access/groups": true, "/vms": true, "/storage": true, "/sdn": true, "/mapping": true}
	for path := range c.access.acl {
		paths[path] = true
	}
	for path := range paths {
		top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		for priv := range c.permissions(name, path) {
			into := []string{top}
			switch top {
			case "":
				into = []string{"dc"}
			case "pool":
				into = []string{"vms", "storage"}
			}
			for _, t := range into {
				if list, ok := found[t].(map[string]any); ok && (startsWithAny(priv, tops[t]) || t != "dc" && priv == "Permissions.Modify") {
					list[priv] = 1
				}
			}
		}
	}
	return found
}

func startsWithAny(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// changePassword sets a password. Who is not root says his own first.
func changePassword(r *request) (any, error) {
	id := r.p["userid"]
	if _, err := r.access.user(id); err != nil {
		return nil, err
	}
	if !r.user.root() {
		switch {
		case id == "root@pam", id != r.user.name && strings.HasSuffix(id, "@pam"):
			return nil, forbidden("")
		case !r.p.has("confirmation-password"):
			return nil, wrongParam("confirmation-password", "password is required to modify user")
		case r.access.password[r.user.name] != r.p["confirmation-password"]:
			return nil, &refusal{status: http.StatusUnauthorized, message: "authentication failure\n"}
		}
	}
	r.access.password[id] = r.p["password"]
	return nil, nil
}
