package pvesim

import (
	"fmt"
	"testing"
)

func TestOfflineNode(t *testing.T) {
	s := Start(t, Options{Nodes: []string{"pve1", "pve2", "pve3"}, VMs: 3})
	c := newClient(t, s)
	c.want(200, "OK", "GET", "/nodes/pve2/version", "")
	s.SetNodeOnline("pve2", false)
	if a := c.want(595, "No route to host", "GET", "/nodes/pve2/version", ""); a.text != "" {
		t.Errorf("body %q", a.text)
	}
	online := map[string]any{}
	for _, row := range c.want(200, "OK", "GET", "/nodes", "").rows() {
		online[fmt.Sprint(row["node"])] = row["status"]
	}
	if online["pve1"] != "online" || online["pve2"] != "offline" {
		t.Errorf("nodes %v", online)
	}
	for _, row := range c.want(200, "OK", "GET", "/cluster/resources", "type=vm").rows() {
		if away := row["node"] == "pve2"; away != (row["status"] == "unknown") {
			t.Errorf("VM %v", row)
		}
	}
	for _, row := range c.want(200, "OK", "GET", "/cluster/status", "").rows() {
		if row["type"] == "cluster" && fmt.Sprint(row["quorate"]) != "1" {
			t.Errorf("two of three: %v", row)
		}
	}
	s.SetNodeOnline("pve2", true)
	c.want(200, "OK", "GET", "/nodes/pve2/version", "")
	c.want(500, "hostname lookup 'nosuch' failed - failed to get address info for: nosuch: Temporary failure in name resolution",
		"GET", "/nodes/nosuch/status", "")
	c.want(403, "Permission check failed (, Sys.Audit)", "GET", "/nodes/bad_node!/status", "")
}

func TestNextID(t *testing.T) {
	s := Start(t, Options{VMs: 1})
	c := newClient(t, s)
	if a := c.want(200, "OK", "GET", "/cluster/nextid", ""); a.body["data"] != "100" {
		t.Errorf("next id %v", a.body)
	}
	c.want(200, "OK", "GET", "/cluster/nextid", "vmid=123")
	c.want(400, "Parameter verification failed.", "GET", "/cluster/nextid", fmt.Sprintf("vmid=%d", bulkID)).
		fails(t, "vmid", fmt.Sprintf("VM %d already exists", bulkID))
	c.want(400, "Parameter verification failed.", "GET", "/cluster/nextid", "vmid=99").
		fails(t, "vmid", "invalid format - value does not look like a valid VM ID\n")
	c.want(200, "OK", "PUT", "/cluster/options", "next-id=lower=5000,upper=5001")
	if a := c.want(200, "OK", "GET", "/cluster/nextid", ""); a.body["data"] != "5000" {
		t.Errorf("next id from 5000: %v", a.body)
	}
}

func TestResources(t *testing.T) {
	for version, zone := range map[int]string{8: "sdn", 9: "network"} {
		s := Start(t, Options{Version: version, Nodes: []string{"pve1", "pve2"}, VMs: 2})
		c := newClient(t, s)
		count := map[string]int{}
		for _, row := range c.want(200, "OK", "GET", "/cluster/resources", "").rows() {
			count[fmt.Sprint(row["type"])]++
			if row["type"] == "qemu" && (fmt.Sprint(row["maxmem"]) != "2147483648" || fmt.Sprint(row["maxdisk"]) != fmt.Sprint(16*gib)) {
				t.Errorf("VM %v", row)
			}
		}
		if count["qemu"] != 2 || count["node"] != 2 || count["storage"] != 6 || count[zone] != 2 {
			t.Errorf("version %d: %v", version, count)
		}
		c.want(400, "Parameter verification failed.", "GET", "/cluster/resources", "type=bogus").
			fails(t, "type", "value 'bogus' does not have a value in the enumeration 'vm, storage, node, sdn'")
	}
}

// TestExtraEndpoints keeps routes that are misspelt from passing for ones that the schema lacks.
func TestExtraEndpoints(t *testing.T) {
	for _, e := range extraEndpoints() {
		if _, known := extraPermissions[e.Route()]; !known {
			t.Errorf("%s is neither in the schema nor known beside it", e.Route())
		}
	}
}
