package pvesim

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStartOfCreateIsATaskOfItsOwn(t *testing.T) {
	c := newClient(t, Start(t, Options{NoKVM: true}))
	log := c.run("POST", "/nodes/pve1/qemu", "vmid=100&start=1")
	if !strings.Contains(log, "Execute autostart") {
		t.Errorf("log %s", log)
	}
	var start *task
	c.eventually("the end of the start", func() bool {
		i := slices.IndexFunc(c.s.tasks.all, func(t *task) bool { return t.kind == "qmstart" && t.exit != "" })
		if i >= 0 {
			start = c.s.tasks.all[i]
		}
		return start != nil
	})
	if !strings.HasPrefix(start.exit, "KVM virtualisation configured, but not available") {
		t.Errorf("the start ended with %s", start.exit)
	}
	c.want(200, "OK", "PUT", "/nodes/pve1/qemu/100/config", "kvm=0")
	c.run("POST", "/nodes/pve1/qemu/100/status/start", "")
}

func TestHibernation(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.run("POST", vm+"/status/start", "")
	c.want(200, "OK", "PUT", vm+"/config", "memory=1024")
	c.run("POST", vm+"/status/suspend", "todisk=1")
	conf := c.config(100, "current=1")
	if conf["lock"] != "suspended" || !strings.HasPrefix(conf["vmstate"], "local-lvm:vm-100-state-suspend-") || conf["memory"] != "" {
		t.Errorf("hibernated: %v", conf)
	}
	if log := c.run("POST", vm+"/status/resume", ""); !strings.Contains(log, "Resuming suspended VM") {
		t.Errorf("log %s", log)
	}
	if conf := c.config(100, "current=1"); conf["lock"] != "" || conf["vmstate"] != "" || conf["memory"] != "" {
		t.Errorf("resumed: %v", conf)
	}
	if row := c.rows(100)["memory"]; row != "pending=1024" {
		t.Errorf("memory %s", row)
	}
}

func TestReboot(t *testing.T) {
	c := newClient(t, Start(t, Options{Guests: true}))
	const vm = "/nodes/pve1/qemu/100"
	c.want(500, "unable to find configuration file for VM 100 on node 'pve1'", "POST", vm+"/status/reboot", "")
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.want(500, "VM 100 not running", "POST", vm+"/status/reboot", "")
	c.run("POST", vm+"/status/start", "")
	c.want(200, "OK", "PUT", vm+"/config", "memory=1024&cores=2")
	c.run("POST", vm+"/status/reboot", "")
	c.eventually("the start after the reboot", func() bool { return c.s.machines[100].running })
	if conf := c.config(100, "current=1"); conf["memory"] != "1024" || conf["cores"] != "2" {
		t.Errorf("after the reboot: %v", conf)
	}
	c.run("POST", vm+"/status/suspend", "")
	c.want(500, "VM is paused - cannot shutdown", "POST", vm+"/status/shutdown", "")
	c.run("POST", vm+"/status/resume", "")
	c.run("POST", vm+"/status/shutdown", "")
	if a := c.want(200, "OK", "GET", vm+"/status/current", ""); !strings.Contains(a.text, `"qmpstatus":"stopped"`) {
		t.Errorf("after the shutdown: %s", a.text)
	}
}

func TestShutdownThatGuestRefuses(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.run("POST", vm+"/status/start", "")
	c.fails("VM quit/powerdown failed - got timeout", "POST", vm+"/status/shutdown", "timeout=0")
	log := c.run("POST", vm+"/status/shutdown", "timeout=0&forceStop=1")
	if !strings.Contains(log, "VM still running - terminating now with SIGTERM") {
		t.Errorf("log %s", log)
	}
	// A stop overrules a shutdown that waits.
	c.run("POST", vm+"/status/start", "")
	waits := c.do("POST", vm+"/status/shutdown", "timeout=600")
	c.eventually("the shutdown to have the lock", func() bool { return len(c.s.machines[100].flock) == 0 })
	if log := c.run("POST", vm+"/status/stop", "overrule-shutdown=1"); !strings.Contains(log, "overruled qmshutdown tasks: UPID:") {
		t.Errorf("log %s", log)
	}
	if exit, _ := c.task(waits); exit == "OK" {
		t.Error("the overruled shutdown ended well")
	}
}

func TestLocks(t *testing.T) {
	c := newClient(t, Start(t, Options{LockWait: 1}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.s.mu.Lock()
	m := c.s.machines[100]
	release, err := c.s.lockConfig(t.Context(), m)
	c.s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	const timeout = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"
	c.want(500, timeout, "PUT", vm+"/config", "name=b")
	log := c.fails(timeout, "POST", vm+"/status/start", "")
	if !strings.HasPrefix(log, "trying to acquire lock...") {
		t.Errorf("log %s", log)
	}
	release()
	c.s.mu.Lock()
	m.config["lock"] = "backup"
	c.s.mu.Unlock()
	c.want(500, "VM is locked (backup)", "PUT", vm+"/config", "name=b")
	c.want(500, "VM is locked (backup)", "POST", vm+"/config", "name=b")
	c.fails("VM is locked (backup)", "POST", vm+"/status/start", "")
}

// What takes its time has the lock of the configuration meanwhile, and a create that is stopped leaves nothing.
func TestTasksTakeTheirTimeUnderTheLock(t *testing.T) {
	c := newClient(t, Start(t, Options{TaskTime: time.Hour, LockWait: time.Millisecond}))
	upid, _ := c.do("POST", "/nodes/pve1/qemu", aVM).body["data"].(string)
	c.eventually("the create to have the lock", func() bool { return len(c.s.machines[100].flock) == 0 })
	c.want(500, "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", "PUT", "/nodes/pve1/qemu/100/config", "name=b")
	if conf := c.config(100, ""); conf["lock"] != "create" || conf["name"] != "" {
		t.Errorf("while it is made: %v", conf)
	}
	c.want(500, "unable to create VM 100 - VM 100 already exists on node 'pve1'", "POST", "/nodes/pve1/qemu", aVM)
	c.want(200, "OK", "DELETE", "/nodes/pve1/tasks/"+upid, "")
	c.eventually("the create to be gone", func() bool { return c.s.machines[100] == nil })
}
