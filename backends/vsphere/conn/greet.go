package conn

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// oldest is the first version of the API that the driver speaks: with 6.5 came secure boot and
// the REST API. What came later, such as virtual TPMs, older servers refuse by themselves.
const oldest = "6.5"

// greet asks what answers at the endpoint, which needs no session.
func (c *Conn) greet(ctx context.Context) (types.ServiceContent, error) {
	var none types.ServiceContent
	// A server refuses versions that it does not know, so it is asked in one that all know.
	old := c.soap.WithHeader(ctx, soap.Header{Action: "urn:" + vim25.Namespace + "/" + oldest})
	content, err := methods.GetServiceContent(old, c.soap)
	if err != nil && strings.Contains(err.Error(), "nsupported version") {
		return none, tooOld("")
	}
	if err != nil {
		return none, c.notVSphere(ctx, err)
	}
	about := content.About
	switch {
	case about.ApiType != "VirtualCenter" && about.ApiType != "HostAgent",
		content.SessionManager == nil, about.ApiVersion == "":
		return none, c.notVSphere(ctx, errors.New("the answer names no vCenter and no ESXi"))
	case before(about.ApiVersion, oldest):
		return none, tooOld(about.FullName)
	}
	return content, nil
}

func tooOld(name string) error {
	if name == "" {
		name = "what answers"
	}
	return backends.Errorf(backends.Unsupported, "", "", "%s is too old: its API is older than version %s", name, oldest).
		Advise("Use vSphere 6.5 or later.")
}

// notVSphere tells that what answered is not vSphere, unless it is the way there that failed.
func (c *Conn) notVSphere(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	wrapped := fault.Wrap(err, opening, "")
	switch code := backends.CodeOf(wrapped); {
	case code != backends.Internal && code != backends.NotFound && code != backends.Invalid:
		return wrapped
	default:
		return backends.Errorf(backends.Invalid, "", "", "what answers at %s is not the API of a vCenter or ESXi: %w", c.Endpoint(), errors.Unwrap(wrapped)).
			Advise("Give the host name or address of a vCenter or ESXi as endpoint, without the path of its web pages.")
	}
}

// speak returns the version of the API to speak with a server: the newest that both know.
func speak(server string) string {
	if before(vim25.Version, server) {
		return vim25.Version
	}
	return server
}

// before compares versions of the API, such as "6.7.3" and "8.0.2.0".
func before(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		if m, n := part(x, i), part(y, i); m != n {
			return m < n
		}
	}
	return false
}

func part(of []string, i int) int {
	if i >= len(of) {
		return 0
	}
	n, _ := strconv.Atoi(of[i])
	return n
}
