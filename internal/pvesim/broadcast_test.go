package pvesim

import (
	"fmt"
	"testing"
	"time"
)

// resource is one row of the list of resources.
func (c *client) resource(id string) map[string]any {
	c.t.Helper()
	for _, row := range c.want(200, "OK", "GET", "/cluster/resources", "").rows() {
		if row["id"] == id {
			return row
		}
	}
	return nil
}

// TestResourcesLag holds lists of resources to what nodes told, while what the cluster itself knows shows at once.
func TestResourcesLag(t *testing.T) {
	for _, version := range []int{8, 9} {
		s := Start(t, Options{Version: version, Nodes: []string{"pve1", "pve2"}, StatsLag: time.Hour})
		c := newClient(t, s)
		c.want(200, "OK", "POST", "/pools", "poolid=web")
		if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/qemu", "vmid=100&name=old&tags=a&pool=web")); exit != "OK" {
			t.Fatal(exit)
		}
		row := c.resource("qemu/100")
		if row["status"] != "unknown" || row["node"] != "pve1" || row["pool"] != "web" || row["tags"] != "a" || row["name"] != nil || row["template"] != nil {
			t.Errorf("of a new VM the cluster knows %v", row)
		}
		s.Broadcast()
		if row = c.resource("qemu/100"); row["status"] != "stopped" || row["name"] != "old" {
			t.Errorf("once its node told of it: %v", row)
		}
		c.want(200, "OK", "PUT", "/nodes/pve1/qemu/100/config", "name=new&tags=b")
		if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/qemu/100/status/start", "")); exit != "OK" {
			t.Fatal(exit)
		}
		if row = c.resource("qemu/100"); row["status"] != "stopped" || row["name"] != "old" || row["tags"] != "b" {
			t.Errorf("before its node told of the change: %v", row)
		}
		for _, at := range c.want(200, "OK", "GET", "/nodes/pve1/qemu", "").rows() {
			if at["name"] != "new" || at["status"] != "running" {
				t.Errorf("its node itself lists %v", at)
			}
		}
		s.Broadcast()
		if row = c.resource("qemu/100"); row["status"] != "running" || row["name"] != "new" {
			t.Errorf("after that: %v", row)
		}
		c.want(200, "OK", "POST", "/storage", "storage=fresh&type=dir&path=/fresh")
		if row = c.resource("storage/pve1/fresh"); row["status"] != "unknown" || row["plugintype"] != "dir" {
			t.Errorf("a new storage is %v", row)
		}
		s.SetNodeOnline("pve2", false)
		if row = c.resource("node/pve2"); row["status"] != "offline" {
			t.Errorf("a node that is away is %v", row)
		}
	}
}

// TestResourcesCatchUp waits for nodes that tell by themselves.
func TestResourcesCatchUp(t *testing.T) {
	s := Start(t, Options{StatsLag: 5 * time.Millisecond})
	c := newClient(t, s)
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/qemu", "vmid=100&name=old")); exit != "OK" {
		t.Fatal(exit)
	}
	for deadline := time.Now().Add(30 * time.Second); fmt.Sprint(c.resource("qemu/100")["name"]) != "old"; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the cluster is not told")
		}
	}
}
