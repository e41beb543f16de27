package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func (b *trial) running(id int) func() bool {
	return func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.machines[id].running
	}
}

func (b *trial) at(id int, node string) func() bool {
	return func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.machines[id].node.name == node
	}
}

// serviceState is the state that the manager shows of a service, "" for one it does not know.
func (b *trial) serviceState(sid string) string {
	for _, one := range b.do("GET", "/cluster/ha/status/current", "").([]map[string]any) {
		if one["sid"] == sid {
			return fmt.Sprint(one["state"])
		}
	}
	return ""
}

// A managed VM follows its resource, and what asks for power asks the manager, whose task ends before anything happened.
func TestHAPower(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128")
		b.do("POST", "/cluster/ha/resources", "sid=vm:100&state=started&max_restart=2")
		b.eventually("the manager starts the VM", b.running(100))
		b.eventually("the manager sees that it runs", func() bool { return b.serviceState("vm:100") == "started" })
		ha := b.do("GET", vm100+"/status/current", "").(map[string]any)["ha"].(map[string]any)
		has(b.t, ha, "managed", 1)
		has(b.t, ha, "state", "started")

		if log := b.task("POST", vm100+"/status/stop", ""); !strings.Contains(log, "Requesting HA stop for VM 100") {
			b.t.Errorf("log:\n%s", log)
		}
		b.eventually("the manager stops the VM", func() bool { return !b.running(100)() })
		b.eventually("the resource is to be stopped", func() bool {
			return b.do("GET", "/cluster/ha/resources/100", "").(map[string]any)["state"] == "stopped"
		})
		b.task("POST", vm100+"/status/start", "")
		b.eventually("the manager starts the VM again", b.running(100))
		b.task("POST", vm100+"/status/shutdown", "timeout=0&forceStop=1")
		b.eventually("the manager shuts the VM down", func() bool { return !b.running(100)() })
		b.refused("DELETE", vm100, "", "unable to remove VM 100 - used in HA resources and purge parameter not set.")
		b.eventually("it is at rest", func() bool { return b.serviceState("vm:100") == "stopped" })
		log := b.task("DELETE", vm100, "purge=1")
		if !strings.Contains(log, "NOTE: removed VM 100 from HA resource configuration.") {
			b.t.Errorf("log:\n%s", log)
		}
		b.eventually("the manager forgets it", func() bool { return b.serviceState("vm:100") == "" })
	})
}

// A task for a managed VM is over while the VM is still as it was: the manager takes its time.
func TestHATakesItsTime(t *testing.T) {
	b := newTrial(t, Options{HARound: -1})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128")
	b.do("POST", "/cluster/ha/resources", "sid=100")
	b.task("POST", vm100+"/status/start", "")
	if b.running(100)() {
		t.Error("it runs though no manager does")
	}
	if state := b.serviceState("vm:100"); state != "queued" {
		t.Errorf("the service is %q", state)
	}
	has(t, b.do("GET", vm100+"/status/current", "").(map[string]any)["ha"].(map[string]any), "state", nil)
}

// A resource that is to be ignored is not managed: power works as ever.
func TestHAIgnored(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128")
	b.do("POST", "/cluster/ha/resources", "sid=vm:100&state=ignored")
	b.task("POST", vm100+"/status/start", "")
	if !b.running(100)() {
		t.Error("it does not run though its task ended")
	}
	has(t, b.do("GET", vm100+"/status/current", "").(map[string]any)["ha"].(map[string]any), "managed", 0)
}

// A VM that does not start is tried again, then its service is in error until it was disabled.
func TestHAStartFails(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128&net0=virtio,bridge=vmbr0")
	b.do("PUT", vm100+"/config", "net0=virtio,bridge=nobridge")
	b.do("POST", "/cluster/ha/resources", "sid=vm:100&max_restart=1&max_relocate=0")
	b.eventually("the service is in error", func() bool { return b.serviceState("vm:100") == "error" })
	tries := 0
	b.mu.Lock()
	for _, task := range b.tasks.all {
		if task.kind == "qmstart" {
			tries++
		}
	}
	b.mu.Unlock()
	if tries != 2 {
		t.Errorf("%d tries to start it, want 2", tries)
	}
	b.refused("PUT", "/cluster/ha/resources/vm:100", "state=started", "service 'vm:100' in error state, must be disabled and fixed first")
	b.do("PUT", "/cluster/ha/resources/vm:100", "state=disabled")
	b.eventually("the error is gone", func() bool { return b.serviceState("vm:100") == "disabled" })
	b.do("PUT", vm100+"/config", "net0=virtio,bridge=vmbr0")
	b.do("PUT", "/cluster/ha/resources/vm:100", "state=started")
	b.eventually("it runs", b.running(100))
}

// The manager moves a running VM where it is asked to, and where its rules want it.
func TestHAMoves(t *testing.T) {
	eachVersion(t, 3, func(b *trial) {
		b.mu.Lock()
		b.opts.Guests = true // one that shuts down when it is asked to
		b.mu.Unlock()
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128&scsi0=shared:1")
		b.do("POST", "/cluster/ha/resources", "sid=vm:100")
		b.eventually("it runs", func() bool { return b.serviceState("vm:100") == "started" })
		log := b.task("POST", vm100+"/migrate", "target=pve2&online=1")
		if !strings.Contains(log, "Requesting HA migration for VM 100 to node pve2") {
			b.t.Errorf("log:\n%s", log)
		}
		b.eventually("it is moved", b.at(100, "pve2"))
		b.eventually("it runs there", func() bool { return b.serviceState("vm:100") == "started" })
		b.do("POST", "/cluster/ha/resources/vm:100/relocate", "node=pve1")
		b.eventually("it is relocated", b.at(100, "pve1"))
		b.eventually("it runs again", func() bool { return b.serviceState("vm:100") == "started" && b.running(100)() })
		if b.opts.Version == 8 {
			b.do("POST", "/cluster/ha/groups", "group=there&nodes=pve3:2,pve1:1")
			b.do("PUT", "/cluster/ha/resources/vm:100", "group=there")
			b.refused("DELETE", "/cluster/ha/groups/there", "", "ha group is used by service 'vm:100'")
		} else {
			b.do("POST", "/cluster/ha/rules", "rule=there&type=node-affinity&resources=vm:100&nodes=pve3:2,pve1:1")
		}
		b.eventually("it goes to the node that it prefers", b.at(100, "pve3"))
	})
}

// What a node that is lost ran, another runs.
func TestHARecovers(t *testing.T) {
	eachVersion(t, 3, func(b *trial) {
		b.task("POST", "/nodes/pve2/qemu", "vmid=100&memory=128&scsi0=shared:1")
		b.write(100, "scsi0", "kept")
		b.do("POST", "/cluster/ha/resources", "sid=vm:100")
		b.eventually("it runs", func() bool { return b.serviceState("vm:100") == "started" })
		b.SetNodeOnline("pve2", false)
		b.eventually("it is somewhere else", func() bool { return !b.at(100, "pve2")() })
		b.eventually("it runs there", func() bool { return b.serviceState("vm:100") == "started" && b.running(100)() })
		b.reads(100, "scsi0", "kept")
		b.SetNodeOnline("pve2", true)
		b.eventually("the node is back", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.haOfNode("pve2") == "online"
		})
	})
}

func TestHARules(t *testing.T) {
	b := newTrial(t, Options{Version: 9, Nodes: []string{"pve1", "pve2"}})
	for id := 100; id < 103; id++ {
		b.task("POST", "/nodes/pve1/qemu", fmt.Sprintf("vmid=%d&memory=128&scsi0=shared:1", id))
		b.do("POST", "/cluster/ha/resources", fmt.Sprintf("sid=vm:%d&failback=0", id))
	}
	has(t, b.do("GET", "/cluster/ha/resources/vm:100", "").(map[string]any), "failback", 0)
	b.refused("GET", "/cluster/ha/groups", "", "cannot index groups: ha groups have been migrated to rules")
	b.refused("PUT", "/cluster/ha/resources/vm:100", "group=g1", "invalid parameter 'group': ha groups have been migrated to rules")
	b.refused("POST", "/cluster/ha/rules", "rule=r1&type=node-affinity&resources=vm:999&nodes=pve1", "create ha rule failed: cannot use unmanaged resource(s) vm:999.")
	b.refused("POST", "/cluster/ha/rules", "rule=r1&type=node-affinity&resources=vm:100&nodes=pve7", "cannot use non-existent node(s) pve7.")
	b.refused("POST", "/cluster/ha/rules", "rule=r1&type=resource-affinity&affinity=negative&resources=vm:100", "less than two resources")
	b.refused("POST", "/cluster/ha/rules", "rule=r1&type=resource-affinity&affinity=negative&resources=vm:100,vm:101,vm:102", "more resources than available nodes")
	b.do("POST", "/cluster/ha/rules", "rule=home&type=node-affinity&resources=vm:101,vm:100&nodes=pve2,pve1:3&strict=1&comment=c")
	b.refused("POST", "/cluster/ha/rules", "rule=home&type=node-affinity&resources=vm:102&nodes=pve1", "HA rule 'home' already defined")
	b.refused("POST", "/cluster/ha/rules", "rule=r1&type=node-affinity&resources=vm:100&nodes=pve1", "resource 'vm:100' is already used in another node affinity rule")
	rule := b.do("GET", "/cluster/ha/rules/home", "").(map[string]any)
	for key, want := range map[string]any{"resources": "vm:100,vm:101", "nodes": "pve1:3,pve2", "strict": 1, "type": "node-affinity", "order": 1, "comment": "c"} {
		has(t, rule, key, want)
	}
	b.refused("PUT", "/cluster/ha/rules/home", "type=node-affinity&digest=0000&comment=x", "detected modified configuration")
	b.do("PUT", "/cluster/ha/rules/home", "type=node-affinity&resources=vm:100&delete=comment")
	has(t, b.do("GET", "/cluster/ha/rules/home", "").(map[string]any), "comment", nil)
	b.do("POST", "/cluster/ha/rules", "rule=apart&type=resource-affinity&affinity=negative&resources=vm:101,vm:102")
	b.eventually("the two are apart", func() bool { return b.at(101, "pve1")() != b.at(102, "pve1")() })
	b.do("PUT", "/cluster/ha/rules/apart", "type=resource-affinity&affinity=positive")
	b.eventually("the two are together", func() bool {
		return b.at(101, "pve1")() == b.at(102, "pve1")() && b.serviceState("vm:102") == "started"
	})
	to := map[bool]string{true: "pve2", false: "pve1"}[b.at(102, "pve1")()]
	moved := b.do("POST", "/cluster/ha/resources/vm:102/migrate", "node="+to).(map[string]any)
	has(t, moved, "comigrated-resources", "[vm:101]")
	b.eventually("both are moved", func() bool { return b.at(101, to)() && b.at(102, to)() })
	if n := len(b.do("GET", "/cluster/ha/rules", "resource=vm:101").([]map[string]any)); n != 1 {
		t.Errorf("%d rules of vm:101", n)
	}
	b.do("DELETE", "/cluster/ha/resources/vm:100", "")
	b.refused("GET", "/cluster/ha/rules/home", "", "no such ha rule 'home'")
	b.do("DELETE", "/cluster/ha/rules/apart", "")
}

// Nobody is left at work when the server closes.
func TestHACloses(t *testing.T) {
	s, err := New(Options{HARound: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// A managed VM whose guest shuts itself down, or that died, is started again.
func TestHARestarts(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128")
	b.do("POST", "/cluster/ha/resources", "sid=vm:100")
	b.eventually("it runs", func() bool { return b.serviceState("vm:100") == "started" })
	b.mu.Lock()
	before := b.machines[100].pid
	b.cluster.stop(b.machines[100])
	b.mu.Unlock()
	b.eventually("it runs again", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.machines[100].running && b.machines[100].pid != before
	})
}
