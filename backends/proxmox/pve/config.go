package pve

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Config says where Proxmox VE answers and who asks. Either APIToken is set, or Username and Password.
type Config struct {
	Endpoints []string // nodes of one cluster: host, host:port or URL; the first that answers is used

	APIToken string // user@realm!name=secret; secret
	Username string // with its realm: root@pam
	Password string // secret
	OTP      string // of a second factor: a TOTP secret (base32 or otpauth URI), a code, or "recovery:..."; secret

	Insecure      bool   // TLS certificates are not verified
	CACertificate string // PEM, trusted beside the system's
	Fingerprint   string // SHA-256 of the server's certificate as Proxmox VE shows it; several are separated by commas or spaces

	RequestTimeout time.Duration // for the answer to one request; 0 is a minute
}

// requestTimeout is for an answer. Proxmox VE itself gives up on a node after 30 seconds.
const requestTimeout = time.Minute

// apiRoot is where the API begins.
const apiRoot = "/api2/json"

// check finds out what is missing or contradictory. Its errors repeat nothing of what may be a secret.
func (c *Config) check() error {
	switch {
	case len(c.Endpoints) == 0:
		return backends.Errorf(backends.Invalid, "", "", "no endpoint is given").
			Advise("Set endpoint in the provider block's proxmox object, or PROXMOX_VE_ENDPOINT.")
	case c.APIToken == "" && c.Username == "":
		return backends.Errorf(backends.Invalid, "", "", "no credentials are given").
			Advise("Set api_token, or username and password, in the provider block's proxmox object, or PROXMOX_VE_API_TOKEN.")
	case c.APIToken != "" && (c.Username != "" || c.Password != ""):
		return backends.Errorf(backends.Invalid, "", "", "an API token and a user name or password are given").
			Advise("Leave one of them out: api_token, or username and password.")
	case c.APIToken == "" && c.Password == "":
		return backends.Errorf(backends.Invalid, "", "", "no password is given").
			Advise("Set password in the provider block's proxmox object, or PROXMOX_VE_PASSWORD.")
	case c.APIToken == "" && !realmed(c.Username):
		return backends.Errorf(backends.Invalid, "", "", "the user name %q has no realm", c.Username).
			Advise("Write it with its realm: root@pam, or terraform@pve.")
	}
	return nil
}

func realmed(user string) bool {
	name, realm, ok := strings.Cut(user, "@")
	return ok && name != "" && realm != ""
}

// token takes an API token apart.
func (c *Config) token() (id proxmox.ApiTokenID, secret string, err error) {
	text := strings.TrimPrefix(strings.TrimSpace(c.APIToken), "PVEAPIToken=")
	name, secret, ok := strings.Cut(text, "=")
	if !ok || secret == "" || strings.ContainsAny(text, " \t\r\n") || id.Parse(name) != nil {
		return id, "", backends.Errorf(backends.Invalid, "", "", "the API token has not the form user@realm!name=secret").
			Advise("Proxmox VE shows the token's id, user@realm!name, and its secret when the token is made. Join them by =.")
	}
	return id, secret, nil
}

// parseEndpoint reads the forms that people write an endpoint in and returns the URL of the API.
func parseEndpoint(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		if strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
			text = "[" + text + "]" // an IPv6 address
		}
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case strings.Contains(text, "@"):
		return nil, badEndpoint(errors.New("it holds credentials"))
	case err != nil:
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, badEndpoint(err)
	case u.Scheme == "http":
		return nil, backends.Errorf(backends.Invalid, "", "", "the endpoint %s is not encrypted", u.Host).
			Advise("Use https: Proxmox VE answers nothing else, and credentials would be readable on the way.")
	case u.Scheme != "https":
		return nil, badEndpoint(errors.New("its scheme is not https"))
	case u.Hostname() == "":
		return nil, badEndpoint(errors.New("it names no host"))
	}
	port := u.Port()
	if port == "" {
		port = "8006"
	}
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, apiRoot), "/api2")
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(u.Hostname(), port), Path: path + apiRoot}, nil
}

func badEndpoint(err error) *backends.Error {
	return backends.Errorf(backends.Invalid, "", "", "the endpoint cannot be used: %w", err).
		Advise(`Write it as "pve1.example.com", "pve1.example.com:8006" or "https://pve1.example.com:8006/".`)
}
