package cloudinit

import (
	"regexp"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Guest customization by cloud-init: the host name and domain go into the meta-data, which every format
// of user data leaves alone, and the time zone into the vendor data, over which user data wins.

// hostOf is the host name that a seed gives, with the domain where one is asked for.
func hostOf(spec *backends.VMSpec, ci *backends.CloudInit) string {
	c := customizationOf(spec)
	host := c.Hostname
	if host == "" {
		host = str(ci.Hostname)
	}
	if host == "" {
		host = Hostname(spec.Name)
	}
	if c.Domain != "" && !strings.HasSuffix(host, "."+c.Domain) {
		host += "." + c.Domain
	}
	return host
}

func customizationOf(spec *backends.VMSpec) backends.Customization {
	if spec.Customization == nil {
		return backends.Customization{}
	}
	return *spec.Customization
}

// renderVendorData joins the user's vendor data with the time zone.
func renderVendorData(spec *backends.VMSpec, ci *backends.CloudInit) string {
	own := ownConfig{TimeZone: customizationOf(spec).TimeZone}
	if own.empty() {
		return str(ci.VendorData)
	}
	return join(str(ci.VendorData), own)
}

var timeZone = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)

// customization checks what a guest is customized to. That two attributes say the same is a mistake, for
// one of them would be ignored.
func (v *validator) customization(c *backends.Customization, ci *backends.CloudInit) {
	p := backends.Path("customization")
	if c.Hostname != "" {
		if why := badHostname(c.Hostname); why != "" {
			v.errorf(p.Attr("hostname"), "%q is not a host name (RFC 1123): %s.", c.Hostname, why)
		}
		if ci != nil && ci.Hostname != nil {
			v.errorf(p.Attr("hostname"), "cloud_init.hostname says %q, too: set one of them.", *ci.Hostname)
		}
	}
	if c.Domain != "" {
		if why := badHostname(c.Domain); why != "" {
			v.errorf(p.Attr("domain"), "%q is not a domain (RFC 1123): %s.", c.Domain, why)
		}
	}
	if c.TimeZone != "" && !timeZone.MatchString(c.TimeZone) {
		v.errorf(p.Attr("time_zone"), "%q is not a time zone such as Europe/Madrid.", c.TimeZone)
	}
	if ci == nil || c.Hostname == "" && c.Domain == "" {
		return
	}
	if doc, err := mapping(str(ci.MetaData)); err == nil && lookup(doc, "local-hostname") != nil {
		v.errorf(p.Attr("hostname"), "cloud_init.meta_data has a local-hostname, too, which would win: set one of them.")
	}
}
