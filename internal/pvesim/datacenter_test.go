package pvesim

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// ends waits for a task that a request started and returns how it ended.
func (c *client) ends(a answer) string {
	c.t.Helper()
	upid, _ := a.body["data"].(string)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		c.s.mu.Lock()
		task := c.s.tasks.byUPID[upid]
		exit := ""
		if task != nil {
			exit = task.exit
		}
		c.s.mu.Unlock()
		if task == nil {
			c.t.Fatalf("no task: %v", a.body)
		}
		if exit != "" {
			return exit
		}
	}
	c.t.Fatalf("%s does not end", upid)
	return ""
}

// column is one field of each element of a list.
func (c *client) column(path, form, key string) []any {
	c.t.Helper()
	list, _ := c.want(200, "OK", "GET", path, form).body["data"].([]any)
	out := []any{}
	for _, one := range list {
		out = append(out, field(one, key))
	}
	return out
}

func TestFirewallRules(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	guestVM(t, s, false, nil)
	const rules = "/nodes/pve1/qemu/900/firewall/rules"
	for _, port := range []string{"1", "2", "3"} {
		c.want(200, "OK", "POST", rules, "type=in&action=ACCEPT&proto=tcp&enable=1&dport="+port)
	}
	if got := c.column(rules, "", "dport"); !slices.Equal(got, []any{"3", "2", "1"}) {
		t.Errorf("new rules do not come first: %v", got)
	}
	c.want(200, "OK", "PUT", rules+"/0", "moveto=3")
	c.want(200, "OK", "POST", rules, "type=out&action=DROP&pos=1")
	if got := c.column(rules, "", "dport"); !slices.Equal(got, []any{"2", nil, "1", "3"}) {
		t.Errorf("after a move and a rule in between: %v", got)
	}
	c.want(200, "OK", "PUT", rules+"/0", "delete=dport&comment=all")
	one := c.want(200, "OK", "GET", rules+"/0", "")
	if field(one.body, "data", "dport") != nil || field(one.body, "data", "comment") != "all" {
		t.Errorf("changed: %v", one.body)
	}
	c.want(500, "detected modified configuration - file changed by other user? Try again.", "DELETE", rules+"/0", "digest=0000000000000000000000000000000000000000")
	c.want(500, "no rule at position 9", "GET", rules+"/9", "")
	a := c.want(400, "Parameter verification failed.", "POST", rules, "type=group&action=web")
	if field(a.body, "errors", "action") != "no such security group" {
		t.Errorf("errors: %v", a.body)
	}
	c.want(200, "OK", "POST", "/cluster/firewall/groups", "group=web")
	c.want(200, "OK", "POST", rules, "type=group&action=web")

	c.want(200, "OK", "POST", "/cluster/firewall/aliases", "name=lan&cidr=192.0.2.0/24")
	c.want(200, "OK", "PUT", "/cluster/firewall/aliases/lan", "cidr=192.0.2.0/25&rename=net")
	c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/firewall/ipset", "name=allowed")
	c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/firewall/ipset/allowed", "cidr=net")
	c.want(500, "IPSet 'allowed' is not empty", "DELETE", "/nodes/pve1/qemu/900/firewall/ipset/allowed", "")
	if got := c.column("/nodes/pve1/qemu/900/firewall/refs", "", "ref"); !slices.Equal(got, []any{"+guest/allowed", "dc/net"}) {
		t.Errorf("what rules can name: %v", got)
	}

	s.mu.Lock()
	clone := newMachine(901, s.nodes[0])
	s.machines[901] = clone
	s.copyFirewall(s.machines[900], clone)
	s.machines[900] = newMachine(900, s.nodes[0])
	s.mu.Unlock()
	if got := c.column(rules, "", "type"); len(got) != 0 {
		t.Errorf("another VM of that id has the rules of the one before: %v", got)
	}
	if got := c.column("/nodes/pve1/qemu/901/firewall/rules", "", "type"); len(got) != 5 {
		t.Errorf("the clone has %v", got)
	}
}

// What is changed of a node's network waits for a reload, and shows so.
func TestNetworkReload(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	const path = "/nodes/pve1/network"
	bridges := c.column(path, "type=bridge", "iface")
	if !slices.Equal(bridges, []any{"vmbr0", "vmbr1", "vmbr2"}) {
		t.Fatalf("bridges %v", bridges)
	}
	c.want(200, "OK", "POST", path, "iface=vmbr7&type=bridge&autostart=1&cidr=192.0.2.1/24")
	a := c.want(200, "OK", "GET", path, "")
	if a.body["changes"] == nil {
		t.Error("changes do not show")
	}
	has := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.bridgeThere(s.nodes[0], "vmbr7") }
	if has() {
		t.Error("a bridge is there before the reload")
	}
	if exit := c.ends(c.want(200, "OK", "PUT", path, "")); exit != "OK" || !has() {
		t.Errorf("the reload: %s", exit)
	}
	if a := c.want(200, "OK", "GET", path, ""); a.body["changes"] != nil {
		t.Errorf("changes after the reload: %v", a.body["changes"])
	}
	a = c.want(400, "Parameter verification failed.", "POST", path, "iface=vmbr8&type=bridge&cidr=192.0.2.9/24&gateway=192.0.2.254")
	if field(a.body, "errors", "gateway") != "Default gateway already exists on interface 'vmbr0'." {
		t.Errorf("errors: %v", a.body)
	}
	c.want(200, "OK", "DELETE", path+"/vmbr7", "")
	c.want(200, "OK", "DELETE", path, "")
	c.want(200, "OK", "GET", path+"/vmbr7", "")
}

// A vnet is a bridge once the network is applied.
func TestSDN(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	c.want(500, "create sdn vnet object failed: zone z1 doesn't exist", "POST", "/cluster/sdn/vnets", "vnet=vn1&zone=z1")
	c.want(200, "OK", "POST", "/cluster/sdn/zones", "zone=z1&type=simple")
	c.want(200, "OK", "POST", "/cluster/sdn/vnets", "vnet=vn1&zone=z1")
	has := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.bridgeThere(s.nodes[0], "vn1") }
	if has() {
		t.Error("a vnet is a bridge before it was applied")
	}
	c.ends(c.want(200, "OK", "PUT", "/cluster/sdn", ""))
	if !has() {
		t.Error("a vnet that was applied is no bridge")
	}
	c.want(200, "OK", "PUT", "/cluster/sdn/vnets/vn1", "alias=x")
	a := c.want(200, "OK", "GET", "/cluster/sdn/vnets/vn1", "pending=1")
	if field(a.body, "data", "state") != "changed" || field(a.body, "data", "pending", "alias") != "x" {
		t.Errorf("pending: %v", a.body)
	}
	c.want(200, "OK", "DELETE", "/cluster/sdn/vnets/vn1", "")
	if got := c.column("/cluster/sdn/vnets", "pending=1", "state"); !slices.Equal(got, []any{"deleted"}) {
		t.Errorf("states %v", got)
	}
}

func TestMappings(t *testing.T) {
	s := Start(t, Options{Nodes: []string{"pve1", "pve2"}})
	c := newClient(t, s)
	c.want(200, "OK", "POST", "/cluster/mapping/pci", "id=gpu&map=node%3Dpve1,path%3D0000:01:00.0,id%3D10de:1eb8&map=node%3Dpve2,path%3D0000:01:00.0,id%3D10de:1eb8")
	a := c.want(200, "OK", "GET", "/cluster/mapping/pci/gpu", "")
	if list, _ := field(a.body, "data", "map").([]any); len(list) != 2 {
		t.Errorf("map: %v", a.body)
	}
	c.want(500, "create hardware mapping failed: pci ID 'gpu' already defined", "POST", "/cluster/mapping/pci", "id=gpu&map=node%3Dpve1,path%3D0000:01:00.0,id%3D10de:1eb8")
	c.want(500, "mapping 'none' not found", "GET", "/cluster/mapping/pci/none", "")
	c.want(200, "OK", "DELETE", "/cluster/mapping/pci/gpu", "")
	if got := c.column("/cluster/mapping/pci", "", "id"); len(got) != 0 {
		t.Errorf("after it was deleted: %v", got)
	}
}

func TestPools(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	guestVM(t, s, false, nil)
	c.want(500, "create pool failed: parent 'a' of pool 'a/b' does not exist", "POST", "/pools", "poolid=a/b")
	c.want(200, "OK", "POST", "/pools", "poolid=a&comment=first")
	c.want(500, "create pool failed: pool 'a' already exists", "POST", "/pools", "poolid=a")
	c.want(200, "OK", "POST", "/pools", "poolid=a/b")
	c.want(200, "OK", "PUT", "/pools/a", "vms=900&storage=local")
	c.want(500, "update pool failed: VM 900 is already a pool member", "PUT", "/pools/a", "vms=900")
	c.want(500, "update pool failed: VM 901 does not exist", "PUT", "/pools/a", "vms=901")
	c.want(500, "update pool failed: VM 900 belongs already to pool 'a' and allow-move is not set", "PUT", "/pools", "poolid=a/b&vms=900")
	a := c.want(200, "OK", "GET", "/pools", "poolid=a")
	list, _ := a.body["data"].([]any)
	if len(list) != 1 || field(list[0], "comment") != "first" {
		t.Fatalf("the pool: %v", a.body)
	}
	if members, _ := field(list[0], "members").([]any); len(members) != 2 || field(members[0], "id") != "qemu/900" || field(members[1], "id") != "storage/pve1/local" {
		t.Errorf("members: %v", members)
	}
	c.want(200, "OK", "PUT", "/pools", "poolid=a/b&vms=900&allow-move=1")
	c.want(500, "delete pool failed: pool 'a/b' is not empty (contains VM 900)", "DELETE", "/pools", "poolid=a/b")
	c.want(200, "OK", "PUT", "/pools", "poolid=a/b&vms=900&delete=1")
	c.want(200, "OK", "DELETE", "/pools", "poolid=a/b")
	c.want(500, "delete pool failed: pool 'a' is not empty (contains storage 'local')", "DELETE", "/pools/a", "")
}

func TestBackupJobs(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	guestVM(t, s, false, nil)
	a := c.want(400, "Parameter verification failed.", "POST", "/cluster/backup", "schedule=daily&storage=local")
	if field(a.body, "errors", "vmid") != "property is missing" {
		t.Errorf("errors: %v", a.body)
	}
	if got := c.column("/cluster/backup-info/not-backed-up", "", "name"); !slices.Equal(got, []any{"web"}) {
		t.Errorf("not backed up: %v", got)
	}
	c.want(200, "OK", "POST", "/cluster/backup", "id=nightly&schedule=daily&storage=local&vmid=900")
	if got := c.column("/cluster/backup-info/not-backed-up", "", "name"); len(got) != 0 {
		t.Errorf("not backed up: %v", got)
	}
	c.want(200, "OK", "PUT", "/cluster/backup/nightly", "all=1&exclude=900")
	a = c.want(200, "OK", "GET", "/cluster/backup/nightly", "")
	if field(a.body, "data", "vmid") != nil || field(a.body, "data", "exclude") != "900" {
		t.Errorf("changed: %v", a.body)
	}
	if got := c.column("/cluster/backup", "", "next-run"); len(got) != 1 || got[0] == nil {
		t.Errorf("next runs: %v", got)
	}
	c.want(200, "OK", "DELETE", "/cluster/backup/nightly", "")
	a = c.want(400, "Parameter verification failed.", "GET", "/cluster/backup/nightly", "")
	if field(a.body, "errors", "id") != "No such job 'nightly'" {
		t.Errorf("errors: %v", a.body)
	}
}

func TestContainers(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	putFile(t, s, "local:vztmpl/debian.tar.gz", "an archive")
	const path = "/nodes/pve1/lxc"
	a := c.want(200, "OK", "POST", path, "vmid=910&ostemplate=local:vztmpl/none.tar.gz")
	if exit := c.ends(a); exit != "unable to create CT 910 - volume 'local:vztmpl/none.tar.gz' does not exist" {
		t.Errorf("without a template: %s", exit)
	}
	c.want(500, "Configuration file 'nodes/pve1/lxc/910.conf' does not exist", "GET", path+"/910/config", "")
	a = c.want(200, "OK", "POST", path, "vmid=910&ostemplate=local:vztmpl/debian.tar.gz&hostname=ct&rootfs=local:2&memory=1024&net0=name%3Deth0,bridge%3Dvmbr0,ip%3Ddhcp")
	if exit := c.ends(a); exit != "OK" {
		t.Fatalf("create: %s", exit)
	}
	a = c.want(200, "OK", "GET", path+"/910/config", "")
	if root, _ := field(a.body, "data", "rootfs").(string); field(a.body, "data", "lock") != nil || root != "local:910/vm-910-disk-0.raw,size=2G" {
		t.Errorf("the configuration: %v", a.body)
	}
	c.want(500, "CT 910 not running", "POST", path+"/910/status/stop", "")
	c.ends(c.want(200, "OK", "POST", path+"/910/status/start", ""))
	if got := c.column(path, "", "status"); !slices.Equal(got, []any{"running"}) {
		t.Errorf("states %v", got)
	}
	if got := c.column(path+"/910/interfaces", "", "inet"); len(got) != 2 || got[1] == nil {
		t.Errorf("addresses %v", got)
	}
	c.want(500, "unable to destroy CT 910 - container is running", "DELETE", path+"/910", "")
	c.ends(c.want(200, "OK", "POST", path+"/910/status/shutdown", ""))
	c.ends(c.want(200, "OK", "DELETE", path+"/910", ""))
	if got := c.column(path, "", "vmid"); len(got) != 0 {
		t.Errorf("after it was removed: %v", got)
	}
}

// All of a node are started and stopped by a task with one for each.
func TestStartAndStopAll(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	m := guestVM(t, s, true, nil)
	running := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return m.running }
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/startall", "")); exit != "OK" || running() {
		t.Errorf("%s: a VM that does not start with its node runs: %v", exit, running())
	}
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/startall", "force=1&vms=900")); exit != "OK" || !running() {
		t.Errorf("%s: the VM runs: %v", exit, running())
	}
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/stopall", "")); exit != "OK" || running() {
		t.Errorf("%s: the VM runs: %v", exit, running())
	}
	kinds := c.column("/nodes/pve1/tasks", "", "type")
	if !slices.Contains(kinds, "qmstart") || !slices.Contains(kinds, "qmshutdown") {
		t.Errorf("tasks %v", kinds)
	}
}

func TestVzdump(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	guestVM(t, s, false, nil)
	a := c.want(400, "Parameter verification failed.", "POST", "/nodes/pve1/vzdump", "")
	if field(a.body, "errors", "vmid") != "property is missing" {
		t.Errorf("errors: %v", a.body)
	}
	wrong := "could not get storage information for 'local-lvm': can't use storage 'local-lvm' for backups - wrong content type"
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/vzdump", "vmid=900&storage=local-lvm")); exit != wrong {
		t.Errorf("on a storage without backups: %s", exit)
	}
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/vzdump", "vmid=900&storage=local&compress=zstd")); exit != "OK" {
		t.Fatal(exit)
	}
	volumes := c.column("/nodes/pve1/storage/local/content", "content=backup", "volid")
	if len(volumes) != 1 {
		t.Fatalf("backups: %v", volumes)
	}
	a = c.want(200, "OK", "GET", "/nodes/pve1/vzdump/extractconfig", "volume="+volumes[0].(string))
	if text, _ := a.body["data"].(string); !strings.Contains(text, "name: web\n") || strings.Contains(text, "lock:") {
		t.Errorf("the archive's configuration: %q", text)
	}
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/vzdump", "vmid=999&storage=local")); exit != "job errors" {
		t.Errorf("of a VM that is not there: %s", exit)
	}
}
