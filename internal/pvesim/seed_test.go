package pvesim

import (
	"fmt"
	"testing"
)

// TestExamples uses what Options.Examples promises as a client would.
func TestExamples(t *testing.T) {
	for version, nodes := range map[int][]string{8: {"pve1"}, 9: {"pve1", "pve2"}} {
		s := Start(t, Options{Version: version, Nodes: nodes, Examples: true})
		c := newClient(t, s)
		last := nodes[len(nodes)-1]
		clone := fmt.Sprintf("/nodes/pve1/qemu/%d/clone", ExampleTemplate)
		if exit := c.ends(c.want(200, "OK", "POST", clone, "newid=100&name=web&pool=production&target="+last)); exit != "OK" {
			t.Fatal(exit)
		}
		vm := "/nodes/" + last + "/qemu/100"
		if exit := c.ends(c.want(200, "OK", "POST", vm+"/config", "scsi1=lvm:1&hostpci0=mapping%3Dgpu&usb0=mapping%3Dstick")); exit != "OK" {
			t.Fatal(exit)
		}
		for kind, id := range map[string]string{"pci": "gpu", "usb": "stick"} {
			a := c.want(200, "OK", "GET", "/cluster/mapping/"+kind+"/"+id, "")
			if list, _ := field(a.body["data"], "map").([]any); len(list) != len(nodes) {
				t.Errorf("%s is mapped at %v", id, list)
			}
		}
		if exit := c.ends(c.want(200, "OK", "POST", vm+"/status/start", "")); exit != "OK" {
			t.Fatal(exit)
		}
		if !s.Guest(100).Boot() {
			t.Error("the clone has no guest")
		}
		if a := c.want(200, "OK", "GET", "/pools/production", ""); len(field(a.body["data"], "members").([]any)) != 1 {
			t.Errorf("the pool: %v", a.body)
		}
	}
}
