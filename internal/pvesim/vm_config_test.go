package pvesim

import (
	"fmt"
	"strings"
	"testing"
)

// rows are the rows of a VM's pending changes, by key: value, what waits, and whether the key is to go.
func (c *client) rows(id int) map[string]string {
	c.t.Helper()
	a := c.want(200, "OK", "GET", fmt.Sprintf("/nodes/pve1/qemu/%d/pending", id), "")
	rows := map[string]string{}
	for _, row := range a.body["data"].([]any) {
		row := row.(map[string]any)
		text := []string{}
		for _, name := range []string{"value", "pending", "delete"} {
			if value, ok := row[name]; ok {
				text = append(text, fmt.Sprintf("%s=%v", name, value))
			}
		}
		rows[row["key"].(string)] = strings.Join(text, " ")
	}
	return rows
}

// guest gives a VM that runs an operating system that answers its virtual hardware.
func (c *client) guest(id int) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.machines[id].inGuest = &guest{}
}

const aVM = "vmid=100&name=a&ostype=l26&scsihw=virtio-scsi-single&boot=order%3Dscsi0&scsi0=local-lvm:1&scsi1=local-lvm:1&net0=virtio%3DBC:24:11:00:00:01,bridge%3Dvmbr0"

func TestUpdateOfVMThatRuns(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.run("POST", vm+"/status/start", "")

	// Without a guest that lets go of it, a disk cannot be taken away: it waits.
	a := c.want(400, "Parameter verification failed.", "PUT", vm+"/config", "delete=scsi1")
	if got := fmt.Sprint(a.body["errors"]); !strings.Contains(got, "error on hot-unplugging device 'virtioscsi1'") {
		t.Errorf("errors %s", got)
	}
	if got := c.rows(100)["scsi1"]; !strings.HasSuffix(got, "delete=1") {
		t.Errorf("scsi1 %q", got)
	}
	c.guest(100)
	c.want(200, "OK", "PUT", vm+"/config", "delete=scsi1")
	if conf := c.config(100, "current=1"); conf["scsi1"] != "" || conf["unused0"] != "local-lvm:vm-100-disk-1" {
		t.Errorf("after the unplug: %v", conf)
	}
	// The volume comes back, and is no longer unused.
	c.want(200, "OK", "PUT", vm+"/config", "scsi2=local-lvm:vm-100-disk-1")
	if conf := c.config(100, "current=1"); conf["scsi2"] != "local-lvm:vm-100-disk-1,size=1G" || conf["unused0"] != "" {
		t.Errorf("after the plug: %v", conf)
	}

	c.want(400, "Parameter verification failed.", "PUT", vm+"/config", "delete=scsi0") // it boots from it
	c.want(200, "OK", "PUT", vm+"/config", "revert=scsi0")
	for _, change := range []struct{ key, value, want string }{
		{"net0", "virtio%3DBC:24:11:00:00:01,bridge%3Dvmbr1", "value=virtio=BC:24:11:00:00:01,bridge=vmbr1"},
		{"scsi0", "local-lvm:vm-100-disk-0,ssd=1", "value=local-lvm:vm-100-disk-0,size=1G pending=local-lvm:vm-100-disk-0,size=1G,ssd=1"},
		{"scsi2", "local-lvm:vm-100-disk-1,mbps=10", "value=local-lvm:vm-100-disk-1,mbps=10,size=1G"},
		{"sata0", "local-lvm:1", "pending=local-lvm:vm-100-disk-2,size=1G"},
		{"net1", "e1000,bridge=vmbr0", "value=e1000=BC:24:11"},
		{"description", "x", "value=x"},
		{"cores", "2", "pending=2"},
		{"cpulimit", "1.5", "value=1.5"},
		{"memory", "1024", "pending=1024"},
		{"hotplug", "network", "value=network"},
		{"scsi3", "local-lvm:1", "pending=local-lvm:vm-100-disk-3,size=1G"}, // no longer hot
	} {
		c.want(200, "OK", "PUT", vm+"/config", change.key+"="+change.value)
		if got := c.rows(100)[change.key]; !strings.HasPrefix(got, change.want) {
			t.Errorf("%s=%s: %s, want %s", change.key, change.value, got, change.want)
		}
	}
	if now, then := c.config(100, "current=1")["memory"], c.config(100, "")["memory"]; now != "" || then != "1024" {
		t.Errorf("memory %q, then %q", now, then)
	}
	c.run("POST", vm+"/status/stop", "")
	for key, row := range c.rows(100) {
		if strings.Contains(row, "pending=") || strings.Contains(row, "delete=") {
			t.Errorf("%s still waits: %s", key, row)
		}
	}
}

func TestHotplugOfCPUsAndMemory(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", "vmid=100&hotplug=cpu,memory&numa=1&cores=4&vcpus=1&memory=1024")
	c.run("POST", vm+"/status/start", "")
	c.want(200, "OK", "PUT", vm+"/config", "vcpus=2&memory=2048")
	if rows := c.rows(100); rows["vcpus"] != "value=2" || rows["memory"] != "value=2048" {
		t.Errorf("vcpus %s, memory %s", rows["vcpus"], rows["memory"])
	}
	a := c.want(400, "Parameter verification failed.", "PUT", vm+"/config", "memory=1024")
	if !strings.Contains(a.text, `dimm1: error unplug memory module`) {
		t.Errorf("answer %s", a.text)
	}
	a = c.want(400, "Parameter verification failed.", "PUT", vm+"/config", "revert=memory&vcpus=1")
	if !strings.Contains(a.text, `vcpus: error unplugging cpu2`) {
		t.Errorf("answer %s", a.text)
	}
	a = c.want(400, "Parameter verification failed.", "PUT", vm+"/config", "memory=512")
	if !strings.Contains(a.text, "hotplug problem - memory can't be lower than 1024 MB") {
		t.Errorf("answer %s", a.text)
	}
	c.want(200, "OK", "PUT", vm+"/config", "memory=2100")
	if rows := c.rows(100); rows["memory"] != "value=2560" {
		t.Errorf("memory %s: modules make up 2560 MiB next", rows["memory"])
	}
}

// A VM whose memory is to be made of modules starts only where they can make it up.
func TestMemoryOfModules(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&hotplug=memory&memory=1024")
	for _, c := range []struct{ change, want string }{
		{"name=x", "NUMA needs to be enabled for memory hotplug"},
		{"numa=1&memory=512", "minimum memory must be 1024MB"},
		{"memory=2000", "memory size (2000) must be aligned to 512 for hotplugging"},
		{"memory=17409", "memory size (17409) must be aligned to 1024 for hotplugging"},
		{"memory=1048576", "Total memory is bigger than 524288MB"},
		{"memory=1024&numa0=cpus=0,memory=1024", "cannot enable memory hotplugging with custom NUMA topology"},
	} {
		b.do("PUT", vm100+"/config", c.change)
		b.fails("POST", vm100+"/status/start", "", c.want)
	}
	b.do("PUT", vm100+"/config", "delete=numa0&memory=18432")
	b.task("POST", vm100+"/status/start", "")
}

func TestDigestAndProtection(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	before := c.config(100, "")["digest"]
	c.want(200, "OK", "PUT", vm+"/config", "digest="+before+"&protection=1")
	if after := c.config(100, "")["digest"]; after == before {
		t.Error("the digest stayed")
	}
	c.want(500, "checksum mismatch (file change by other user?)", "PUT", vm+"/config", "name=x&digest="+before)
	c.fails("checksum mismatch (file change by other user?)", "PUT", vm+"/resize", "disk=scsi0&size=%2B1G&digest="+before)
	c.want(500, "can't remove VM 100 - protection mode enabled", "DELETE", vm, "")
	c.want(500, "can't remove drive 'scsi1' - protection mode enabled", "PUT", vm+"/config", "delete=scsi1")
	c.want(200, "OK", "PUT", vm+"/config", "protection=0")
	c.run("DELETE", vm, "")
}

func TestTagsAndBackgroundDelay(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM+"&tags=Zeta%3Balpha")
	if got := c.config(100, "")["tags"]; got != "Zeta;alpha" {
		t.Errorf("tags of the create: %s", got)
	}
	a := c.want(200, "OK", "POST", vm+"/config", "tags=Web,b%3Ba%3Ba&background_delay=5")
	if a.body["data"] != nil {
		t.Errorf("a task that is over answers %v", a.body["data"])
	}
	if got := c.config(100, "")["tags"]; got != "a;b;web" {
		t.Errorf("tags %s", got)
	}
	c.want(200, "OK", "PUT", vm+"/config", "tags=")
	if got := c.config(100, "")["tags"]; got != " " {
		t.Errorf("cleared tags %q", got)
	}
}

func TestBootOrderFollowsDevices(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.want(200, "OK", "PUT", vm+"/config", "ide2=none,media=cdrom")
	if got := c.config(100, "")["boot"]; got != "order=scsi0;ide2" {
		t.Errorf("with a CD-ROM drive: %s", got)
	}
	c.want(200, "OK", "PUT", vm+"/config", "delete=ide2")
	if got := c.config(100, "")["boot"]; got != "order=scsi0" {
		t.Errorf("without it: %s", got)
	}
	c.want(500, "invalid bootorder: device 'net7' does not exist'", "PUT", vm+"/config", "boot=order%3Dnet7")
}

func TestHookScript(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.run("POST", "/nodes/pve1/qemu", aVM)
	a := c.want(400, "Parameter verification failed.", "PUT", "/nodes/pve1/qemu/100/config", "hookscript=local:snippets/x.pl")
	if !strings.Contains(a.text, "script 'local:snippets/x.pl' does not exist") {
		t.Errorf("answer %s", a.text)
	}
}

func TestCloudInitDriveKnowsWhatItLacks(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM+"&ide2=local:cloudinit&ciuser=a")
	c.run("POST", vm+"/status/start", "")
	c.want(200, "OK", "PUT", vm+"/config", "ciuser=b&nameserver=10.0.0.1")
	if got := c.do("GET", vm+"/cloudinit", "").text; !strings.Contains(got, `"pending":"b","value":"a"`) && !strings.Contains(got, `"key":"ciuser","pending":"b","value":"a"`) {
		t.Errorf("cloudinit %s", got)
	}
	c.want(200, "OK", "PUT", vm+"/cloudinit", "")
	if got := c.do("GET", vm+"/cloudinit", "").text; strings.Contains(got, "pending") {
		t.Errorf("written anew, and still pending: %s", got)
	}
}

func TestResize(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	const vm = "/nodes/pve1/qemu/100"
	c.run("POST", "/nodes/pve1/qemu", aVM)
	log := c.run("PUT", vm+"/resize", "disk=scsi0&size=5G")
	if want := "  Size of logical volume pve/vm-100-disk-0 changed from 1.00 GiB (256 extents) to 5.00 GiB (1280 extents)."; !strings.Contains(log, want) {
		t.Errorf("log %s", log)
	}
	if got := c.config(100, "")["scsi0"]; got != "local-lvm:vm-100-disk-0,size=5G" {
		t.Errorf("scsi0 %s", got)
	}
	c.fails("shrinking disks is not supported", "PUT", vm+"/resize", "disk=scsi0&size=4G")
	c.fails("disk 'scsi7' does not exist", "PUT", vm+"/resize", "disk=scsi7&size=4G")
}

func TestPrivilegesOfKeys(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	c.run("POST", "/nodes/pve1/qemu", aVM)
	for route, form := range map[string]string{
		"/access/roles": "roleid=Half&privs=VM.Config.Options,VM.Config.CPU,VM.Audit",
		"/access/users": "userid=u@pve&password=secret-word",
	} {
		c.want(200, "OK", "POST", route, form)
	}
	c.want(200, "OK", "PUT", "/access/acl", "path=/vms/100&users=u@pve&roles=Half")
	token := c.want(200, "OK", "POST", "/access/users/u@pve/token/tok", "privsep=0").body["data"].(map[string]any)["value"]
	half := newClient(t, s)
	half.header.Set("Authorization", fmt.Sprintf("PVEAPIToken=u@pve!tok=%s", token))
	const config = "/nodes/pve1/qemu/100/config"
	half.want(200, "OK", "PUT", config, "cores=2&name=b")
	for form, lacks := range map[string]string{
		"memory=1024":       "/vms/100, VM.Config.Memory",
		"net0=virtio":       "/vms/100, VM.Config.Network",
		"scsi1=local-lvm:1": "/storage/local-lvm, Datastore.AllocateSpace",
		"delete=scsi0":      "/vms/100, VM.Config.Disk",
		"startup=order%3D1": "/, Sys.Modify",
	} {
		half.want(403, "Permission check failed ("+lacks+")", "PUT", config, form)
	}
	half.want(500, "only root can set 'args' config", "PUT", config, "args=-x")
	half.want(403, "Permission check failed", "POST", "/nodes/pve1/qemu", "vmid=101")
}

// Some values are not kept as they were sent, and a disk that a template gets is a base like its others.
func TestWhatIsKeptOtherwise(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&cpuunits=20000&template=1&scsi0=local:1,format=qcow2")
	has(t, b.config(100), "cpuunits", 10000)
	has(t, b.config(100), "scsi0", "local:100/base-100-disk-0.qcow2,size=1G")
	b.do("PUT", vm100+"/config", "cpuunits=10001&scsi1=local-lvm:1")
	has(t, b.config(100), "cpuunits", 10000)
	has(t, b.config(100), "scsi1", "local-lvm:base-100-disk-0,size=1G")
}

func TestResizeOfFormats(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=vmdk&scsi1=local:1,format=qcow2")
	b.fails("PUT", vm100+"/resize", "disk=scsi0&size=2G", "can't resize this image format")
	b.task("PUT", vm100+"/resize", "disk=scsi1&size=2G")
	b.refused("POST", vm100+"/move_disk", "disk=scsi0&storage=local-lvm&digest="+strings.Repeat("0", 40), "detected modified configuration - file changed by other user? Try again.")
}
