package pvesim

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
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

// openRoutes are the requests that need no login.
var openRoutes = map[string]bool{
	"GET /access/domains": true, "GET /access/ticket": true, "POST /access/ticket": true, "POST /access/vncticket": true,
	"POST /access/openid/login": true, "POST /access/openid/auth-url": true,
}

var (
	ticketValue = regexp.MustCompile(`(?:^|\s)PVEAuthCookie[= ]([^;]*)`)
	tokenValue  = regexp.MustCompile(`(?:^|\s)PVEAPIToken[= ]([^;]*)`)
)

// authValue finds a credential in a header.
func authValue(header string, of *regexp.Regexp) string {
	found := of.FindStringSubmatch(header)
	if found == nil {
		return ""
	}
	if value, err := url.PathUnescape(found[1]); err == nil {
		return value
	}
	return found[1]
}

// authenticate finds out who makes a request: nil for one that needs no login. byToken says that the request came
// with an API token, whoever it is for.
func (s *Server) authenticate(h *http.Request, path string) (who *login, byToken bool, err error) {
	header := h.Header.Get("Authorization")
	ticket := authValue(h.Header.Get("Cookie"), ticketValue)
	if ticket == "" {
		ticket = authValue(header, ticketValue)
	}
	secret := ""
	if ticket == "" {
		secret = authValue(header, tokenValue)
	}
	if openRoutes[h.Method+" "+path] {
		return nil, secret != "", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret != "" {
		who, err := s.access.byToken(secret)
		return who, true, err
	}
	if ticket == "" {
		return nil, false, proxied(http.StatusUnauthorized, "No ticket")
	}
	name, ok := s.access.verifyTicket(ticket, "")
	if _, err := s.access.active(name); !ok || err != nil {
		return nil, false, proxied(http.StatusUnauthorized, "Authentication failed!")
	}
	if h.Method != http.MethodGet && !uploads.MatchString(path) && !s.access.verifyCSRF(name, h.Header.Get("CSRFPreventionToken")) {
		return nil, false, proxied(http.StatusUnauthorized, "Permission denied - invalid csrf token")
	}
	return &login{name: name}, false, nil
}

// uploads need no CSRF token.
var uploads = regexp.MustCompile(`^/nodes/[^/]+/storage/[^/]+/upload$`)

// byToken finds the login of "user@realm!name=secret".
func (a *access) byToken(value string) (*login, error) {
	failed := proxied(http.StatusUnauthorized, "Authentication failed!")
	i := strings.LastIndexByte(value, '=')
	if i < 0 {
		return nil, failed
	}
	userid, name := splitToken(value[:i])
	if _, err := a.active(userid); err != nil || name == "" {
		return nil, failed
	}
	t, err := a.token(userid, name)
	if err != nil || t.expire != 0 && t.expire < time.Now().Unix() || subtle.ConstantTimeCompare([]byte(t.secret), []byte(value[i+1:])) != 1 {
		return nil, failed
	}
	return &login{name: userid, token: name}, nil
}
