package conn

import (
	"errors"
	"net/url"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// parseEndpoint reads the forms that people write an endpoint in, and checks that nothing is missing. Its errors
// repeat nothing of an endpoint that may hold a password.
func parseEndpoint(cfg Config) (*url.URL, error) {
	for _, f := range []struct{ value, name, env string }{
		{cfg.Endpoint, "endpoint", "VSPHERE_SERVER"},
		{cfg.Username, "username", "VSPHERE_USER"},
		{cfg.Password, "password", "VSPHERE_PASSWORD"},
	} {
		if strings.TrimSpace(f.value) == "" {
			return nil, backends.Errorf(backends.Invalid, "", "", "no %s is given", f.name).
				Advise("Set %s in the provider block's vsphere object, or %s.", f.name, f.env)
		}
	}
	text := strings.TrimSpace(cfg.Endpoint)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case strings.Contains(text, "@"):
		return nil, badEndpoint(errors.New("it holds credentials")).
			Advise("Give user name and password in attributes of their own, or by VSPHERE_USER and VSPHERE_PASSWORD.")
	case err != nil:
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, badEndpoint(err)
	case u.Scheme != "https":
		return nil, badEndpoint(errors.New("its scheme is not https"))
	case u.Hostname() == "":
		return nil, badEndpoint(errors.New("it names no host"))
	}
	path := strings.TrimRight(u.Path, "/")
	if path == "" {
		path = "/sdk"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
}

func badEndpoint(err error) *backends.Error {
	return backends.Errorf(backends.Invalid, "", "", "the endpoint cannot be used: %w", err).
		Advise(`Write it as "vcenter.example.com", "vcenter.example.com:8443" or "https://vcenter.example.com/sdk".`)
}
