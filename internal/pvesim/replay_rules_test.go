package pvesim

import (
	"path"
	"regexp"
	"strings"
)

// How a place in an answer is compared, where not value by value.
const (
	exact    = iota
	shape    // both are of one kind
	words    // a list in a text, in any order
	optional // either may leave it out; where both have it, it is compared
	skip     // not at all
	ofHost   // shape, but for VMs
)

// lenience says how places are compared, and why not otherwise.
type lenience struct {
	route  string // of the endpoint, with * for anything; "" is all
	place  string // "data[].pid", with * and **
	how    int
	reason string
}

// leniences is the one place where the replay looks away. The first rule that fits decides.
var leniences = []lenience{
	{"", "data.pid", shape, "processes are numbered by the host"},
	{"", "data[].pid", shape, "processes are numbered by the host"},
	{"", "data*.pstart", shape, "counted from the boot of the host"},
	{"", "data*.starttime", shape, "a time"},
	{"", "data*.endtime", shape, "a time"},
	{"", "data*.ctime", shape, "a time"},
	{"", "data*.snaptime", shape, "a time"},
	{"", "data*.timestamp", shape, "a time"},
	{"", "data*.uptime", shape, "a time"},
	{"", "data*.next-run", shape, "a time"},
	{"", "data**.cpu", shape, "what the guest did"},
	{"", "data**.mem", shape, "what the guest did"},
	{"", "data**.netin", shape, "what the guest did"},
	{"", "data**.netout", shape, "what the guest did"},
	{"", "data**.diskread", shape, "what the guest did"},
	{"", "data**.diskwrite", shape, "what the guest did"},
	{"", "data*.used", shape, "how full the host's disk is"},
	{"", "data*.avail", shape, "how full the host's disk is"},
	{"", "data*.used_fraction", shape, "how full the host's disk is"},
	{"", "data*.total", shape, "how large the host's disk is"},
	{"", "data*.content", words, "Perl's hashes have no order"},
	{"", "data*.privs", words, "Perl's hashes have no order"},

	{"GET /version", "data.*", shape, "the release of the host"},
	{"GET /nodes/{node}/version", "data.*", shape, "the release of the host"},
	{"GET /nodes", "data[].max*", shape, "the host's own numbers"},
	{"GET /nodes", "data[].disk", shape, "the host's own numbers"},
	{"GET /nodes", "data[].ssl_fingerprint", shape, "the host's certificate"},
	{"GET /nodes/{node}/status", "data.*", shape, "the host's own numbers"},
	{"GET /nodes/{node}/status", "data.*.**", skip, "the host's own numbers"},
	{"GET /nodes/{node}/time", "data.*", shape, "a time"},
	{"GET /nodes/{node}/dns", "data", skip, "the host's resolver"},
	{"GET /nodes/{node}/hosts", "data.*", shape, "the host's file"},
	{"GET /nodes/{node}/certificates/info", "data", shape, "the host's certificate"},
	{"GET /nodes/{node}/certificates/info", "data[].*", shape, "the host's certificate"},
	{"GET /nodes/{node}/subscription", "data.serverid", shape, "the host's identity"},
	{"GET /nodes/{node}/hardware/pci", "data", shape, "the host's hardware"},
	{"GET /nodes/{node}/hardware/pci", "data[].*", skip, "the host's hardware"},
	{"GET /nodes/{node}/capabilities/qemu/machines", "data", shape, "the host's QEMU"},
	{"GET /nodes/{node}/capabilities/qemu/machines", "data[].*", shape, "the host's QEMU"},
	{"GET /nodes/{node}/syslog", "data", skip, "the host's journal"},
	{"GET /nodes/{node}/network", "changes", shape, "a diff of the host's file"},
	{"GET /cluster/status", "data[].ip", shape, "the host's address"},
	{"GET /cluster/log", "data", shape, "what was logged before the recording"},
	{"GET /cluster/log", "data[].*", skip, "what was logged before the recording"},
	{"GET /cluster/resources", "data[].*", ofHost, "the host's own numbers"},
	{"GET /cluster/tasks", "data[].saved", skip, "when a worker's file was written"},
	{"GET /cluster/tasks", "data[].pid", optional, "when a worker's file was written"},
	{"GET /cluster/tasks", "data[].endtime", optional, "when a worker's file was written"},
	{"GET /cluster/tasks", "data[].status", optional, "when a worker's file was written"},
	{"GET /nodes/{node}/tasks", "total", shape, "tasks of before the recording"},
	{"GET /nodes/{node}/tasks", "data[].endtime", optional, "whether a task was over at that moment"},
	{"GET /cluster/ha/status/manager_status", "data.lrm_status**", skip, "what the manager did before the recording"},
	{"GET /cluster/ha/status/manager_status", "data.manager_status**", skip, "what the manager did before the recording"},

	{"GET */rrddata", "data", skip, "the host's history"},
	{"POST /access/ticket", "data.ticket", shape, "a secret"},
	{"POST /access/ticket", "data.CSRFPreventionToken", shape, "a secret"},
	{"POST /access/users/{userid}/token/{tokenid}", "data.value", shape, "a secret"},
	{"POST */vncproxy", "data.*", shape, "a secret, a port and a certificate of the host"},
	{"POST */monitor", "data", shape, "the words of the host's QEMU"},
	{"GET */cloudinit/dump", "data", shape, "hashes of passwords and of all the rest"},
	{"GET */agent/network-get-interfaces", "data.result[].statistics", skip, "what the guest did"},
	{"GET */agent/network-get-interfaces", "**", exact, ""},
	{"GET */agent/get-host-name", "data**", shape, "what the recording's guest said"},
	{"GET */agent/get-time", "data.result", shape, "a time"},
	{"GET */agent/get-timezone", "**", exact, ""},
	{"GET */agent/get-users", "**", exact, ""},
	{"GET */agent/get-memory-block-info", "**", exact, ""},
	{"GET */agent/get-osinfo", "data.result.*", shape, "what the recording's guest said"},
	{"GET */agent/*", "data.result", skip, "what the recording's guest said"},
	{"GET */agent/file-read", "data**", exact, ""},
	{"POST */agent/fstrim", "data.result", skip, "what the recording's guest said"},
	{"POST */agent/exec", "data.pid", shape, "processes are numbered by the guest"},
	{"", "data*.nics.*.*", shape, "what the guest did"},
	{"GET */status/current", "data.nics**", optional, "what the guest did"},
	{"GET */qemu", "data[].nics**", optional, "what the guest did"},
	{"GET */tasks/{upid}/status", "data.exitstatus", optional, "whether a task was over at that moment"},
}

// rule is how a place is compared.
func (c *comparison) rule(place string) int {
	for _, r := range leniences {
		if !fitsRoute(r.route, c.route) || !fitsPlace(r.place, place) || r.how == ofHost && c.vm {
			continue
		}
		if r.how == ofHost {
			return shape
		}
		return r.how
	}
	return exact
}

func fitsRoute(pattern, route string) bool {
	if pattern == "" {
		return true
	}
	return wild(pattern).MatchString(route)
}

func fitsPlace(pattern, place string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == place
	}
	return wild(pattern).MatchString(place)
}

var wilds = map[string]*regexp.Regexp{}

// wild is a pattern in which * stands for anything within one step of a place, and ** for any number of steps. The replay calls it before its scenarios begin to run side by side.
func wild(pattern string) *regexp.Regexp {
	if re := wilds[pattern]; re != nil {
		return re
	}
	one := `[^.]*`
	if strings.Contains(pattern, "/") { // a route
		one = ".*"
	}
	text := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*\*`, ".*")
	return regexp.MustCompile("^" + strings.ReplaceAll(text, `\*`, one) + "$")
}

func init() {
	for _, r := range leniences {
		for _, pattern := range []string{r.route, r.place} {
			wilds[pattern] = wild(pattern)
		}
	}
}

// backendRoutes are the endpoints that the Proxmox VE backend uses: there the agreement has to be closer.
var backendRoutes = []string{
	"GET /version", "GET /nodes", "GET /nodes/{node}/status", "GET /nodes/{node}/network",
	"GET /cluster/resources", "GET /cluster/nextid", "GET /cluster/status", "GET /cluster/ha/resources*",
	"POST /cluster/ha/resources", "PUT /cluster/ha/resources/{sid}", "DELETE /cluster/ha/resources/{sid}",
	"POST /access/ticket", "GET /access/permissions",
	"GET /nodes/{node}/tasks/{upid}/status", "GET /nodes/{node}/tasks/{upid}/log", "DELETE /nodes/{node}/tasks/{upid}",
	"GET /nodes/{node}/qemu", "POST /nodes/{node}/qemu", "DELETE /nodes/{node}/qemu/{vmid}",
	"GET /nodes/{node}/qemu/{vmid}/config", "PUT /nodes/{node}/qemu/{vmid}/config", "POST /nodes/{node}/qemu/{vmid}/config",
	"GET /nodes/{node}/qemu/{vmid}/pending", "PUT /nodes/{node}/qemu/{vmid}/resize", "PUT /nodes/{node}/qemu/{vmid}/unlink",
	"PUT /nodes/{node}/qemu/{vmid}/cloudinit", "POST /nodes/{node}/qemu/{vmid}/move_disk",
	"GET /nodes/{node}/qemu/{vmid}/status/current", "POST /nodes/{node}/qemu/{vmid}/status/*",
	"POST /nodes/{node}/qemu/{vmid}/clone", "POST /nodes/{node}/qemu/{vmid}/template", "GET /nodes/{node}/qemu/{vmid}/feature",
	"GET /nodes/{node}/qemu/{vmid}/migrate", "POST /nodes/{node}/qemu/{vmid}/migrate",
	"* /nodes/{node}/qemu/{vmid}/snapshot*",
	"GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", "POST /nodes/{node}/qemu/{vmid}/agent/ping",
	"POST /nodes/{node}/qemu/{vmid}/vncproxy", "POST /nodes/{node}/qemu/{vmid}/termproxy", "POST /nodes/{node}/qemu/{vmid}/spiceproxy",
	"GET /storage", "GET /storage/{storage}", "GET /nodes/{node}/storage", "GET /nodes/{node}/storage/{storage}/status",
	"* /nodes/{node}/storage/{storage}/content*", "POST /nodes/{node}/storage/{storage}/upload", "POST /nodes/{node}/storage/{storage}/download-url",
	"GET /nodes/{node}/query-url-metadata", "* /pools*",
}

// usedByBackend reports whether the backend uses an endpoint.
func usedByBackend(route string) bool {
	for _, pattern := range backendRoutes {
		if ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(route, "/", "|")); err == nil && ok {
			return true
		}
	}
	return false
}
