package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// task waits for the task that an answer names, and returns how it ended and its log.
func (c *client) task(a answer) (exit, log string) {
	c.t.Helper()
	upid, _ := a.body["data"].(string)
	if a.status != 200 || !strings.HasPrefix(upid, "UPID:") {
		c.t.Fatalf("no task: %d %s %s", a.status, a.reason, a.text)
	}
	c.s.mu.Lock()
	t := c.s.tasks.byUPID[upid]
	c.s.mu.Unlock()
	c.eventually("the end of "+upid, func() bool { return t.exit != "" })
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return t.exit, strings.Join(t.log, "\n")
}

// eventually waits until there holds, which it asks with mu held.
func (c *client) eventually(what string, there func() bool) {
	c.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		c.s.mu.Lock()
		ok := there()
		c.s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			c.t.Fatalf("%s: %v", what, c.t.Context().Err())
		}
	}
}

// run performs a request that starts a task, which is to end well.
func (c *client) run(method, path, form string) string {
	c.t.Helper()
	exit, log := c.task(c.do(method, path, form))
	if exit != "OK" {
		c.t.Fatalf("%s %s %s: task %s\n%s", method, path, form, exit, log)
	}
	return log
}

// fails performs a request that starts a task, which is to end with exit.
func (c *client) fails(exit, method, path, form string) string {
	c.t.Helper()
	got, log := c.task(c.do(method, path, form))
	if got != exit {
		c.t.Fatalf("%s %s %s: task %q, want %q\n%s", method, path, form, got, exit, log)
	}
	return log
}

// config reads a VM's configuration as text, with what else query says.
func (c *client) config(id int, query string) map[string]string {
	c.t.Helper()
	a := c.want(200, "OK", "GET", fmt.Sprintf("/nodes/pve1/qemu/%d/config", id), query)
	conf := map[string]string{}
	for key, value := range a.body["data"].(map[string]any) {
		conf[key] = fmt.Sprint(value)
	}
	return conf
}

func TestVMLife(t *testing.T) {
	for _, version := range []int{8, 9} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			c := newClient(t, Start(t, Options{Version: version}))
			log := c.run("POST", "/nodes/pve1/qemu", "vmid=110&name=life&scsihw=virtio-scsi-single&scsi0=local:1,iothread=on,discard=on&net0=virtio,bridge=vmbr0&ide2=local:cloudinit")
			for _, line := range []string{
				"ide2: successfully created disk 'local:110/vm-110-cloudinit.qcow2,media=cdrom'",
				"scsi0: successfully created disk 'local:110/vm-110-disk-0.raw,discard=on,iothread=1,size=1G'",
			} {
				if !strings.Contains(log, line) {
					t.Errorf("no %q in\n%s", line, log)
				}
			}
			conf := c.config(110, "")
			if conf["boot"] != "order=scsi0;ide2;net0" || !strings.HasPrefix(conf["net0"], "virtio=BC:24:11:") || conf["lock"] != "" {
				t.Errorf("config %v", conf)
			}
			if log := c.run("POST", "/nodes/pve1/qemu/110/status/start", ""); !strings.Contains(log, "generating cloud-init ISO") {
				t.Errorf("log of the start\n%s", log)
			}
			c.fails("VM 110 already running", "POST", "/nodes/pve1/qemu/110/status/start", "")
			c.want(500, "VM 110 is running - destroy failed", "DELETE", "/nodes/pve1/qemu/110", "")
			c.run("POST", "/nodes/pve1/qemu/110/status/stop", "")
			c.run("DELETE", "/nodes/pve1/qemu/110", "purge=1")
			c.want(500, "Configuration file 'nodes/pve1/qemu-server/110.conf' does not exist", "GET", "/nodes/pve1/qemu/110/config", "")
			if n := len(c.s.volumes.all); n != 0 {
				t.Errorf("%d volumes are left", n)
			}
		})
	}
}
