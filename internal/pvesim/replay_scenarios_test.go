package pvesim

import (
	"strings"
	"testing"
	"time"
)

// scenarioOf is what is to be known of a recording beside what it shows.
func scenarioOf(name string) *scenario {
	if sc := scenarios[name]; sc != nil {
		return sc
	}
	return &scenario{}
}

var scenarios = map[string]*scenario{
	"01-read": {guests: true, setup: leftovers},
	"02-auth": {setup: accounts, as: authOf02},
	"03-create-errors": {
		before: map[int]func(p *player){162: off(301)},
		unlike: map[int]string{161: "the recording's host cannot run VMs with KVM: the start failed"},
	},
	"04c-orphan-cloudinit-volume": {setup: orphan},
	"08-storage": {
		setup:  func(t *testing.T, p *player) { p.files(t, "http://127.0.0.1:8099") },
		sizes:  map[int]int{44: 4096, 48: 1024, 59: 1},
		unlike: map[int]string{93: otherFile, 94: otherFile},
	},
	"09-guest-agent":                 {guests: true, settles: map[int]bool{14: true, 16: true}, before: guests09},
	"09b-guest-shutdown-reboot":      {guests: true, setup: guest210, before: guests09b},
	"06b-snapshot-qcow2":             {before: lasting(74, 79)},
	"07b-template-linked-clone":      {before: lasting(79, 84)},
	"10-ha":                          {haRound: -1, lags: true}, // no manager ran
	"10b-ha-managed-lifecycle":       {haRound: 700 * time.Millisecond, settles: map[int]bool{36: true}, lags: true, before: map[int]func(p *player){4: told}},
	"12-migrate-console-locks-tasks": {setup: func(t *testing.T, p *player) { p.files(t, "http://127.0.0.1:8098") }, before: locks12, settles: map[int]bool{111: true}},
	"13-access-firewall-network":     {setup: leftovers},
	"14-other-node-proxying":         {nodes: []string{"pve1", "pve2", "pve3"}, setup: others},
	"15-concurrency-lock-timeouts":   {before: held15, swapped: [][2]int{{23, 24}, {25, 26}}},
}

// otherFile is why a text differs.
const otherFile = "names the checksum of a file that was not recorded"

// leftovers are what other recordings left on the host.
func leftovers(t *testing.T, p *player) {
	accounts(t, p)
	p.do(t, "POST", "/access/users", params{"userid": "u2@nosuch"})
	p.do(t, "POST", "/cluster/mapping/pci", params{"id": "m1", "map": "node=pve1,path=0000:00:01.0,id=1af4:1045"})
}

// told lets the host tell the cluster what it runs.
func told(p *player) { p.server.Broadcast() }

// off turns a VM off behind the API's back.
func off(id int) func(p *player) {
	return func(p *player) { p.config(id, func(m *machine) { m.running = false }) }
}

// accounts makes the users and tokens of the recording.
func accounts(t *testing.T, p *player) {
	p.do(t, "POST", "/access/users", params{"userid": "tester@pve", "password": "Secret123!"})
	data := p.do(t, "POST", "/access/users/root@pam/token/tflimited", params{"privsep": "1"})
	if m, ok := data.(map[string]any); ok {
		p.session.limited, _ = m["value"].(string)
	}
}

// authOf02 is who asked in the recording about authentication.
func authOf02(i int, x exchange) who {
	switch {
	case i < 2 || i == 8 || i == 9 || i >= 11 && i <= 17:
		return byNobody
	case x.Note == "wrong secret" || x.Note == "wrong secret POST":
		return byWrongSecret
	case i == 3:
		return byUnknownToken
	case i == 4:
		return byUnknownUser
	case i == 5:
		return byMalformed
	case i == 6:
		return byNoSecret
	case i == 7:
		return bySpaced
	case i == 25:
		return byNoForgery
	case i == 26:
		return byBadForgery
	case i == 28:
		return byInHeader
	case i == 29:
		return byForged
	case i >= 18 && i <= 42, i == 53, i == 56:
		return byTester
	case strings.HasPrefix(x.Note, "privsep token"):
		return byLimited
	}
	return byToken
}

// orphan leaves the volume of a VM that was destroyed.
func orphan(t *testing.T, p *player) {
	p.do(t, "POST", "/nodes/pve1/storage/local/content", params{"vmid": "112", "filename": "vm-112-cloudinit.qcow2", "size": "4M", "format": "qcow2"})
}

// guest210 makes the VM with a guest that an earlier recording left.
func guest210(t *testing.T, p *player) {
	p.make(t, 210, params{
		"name": "guest2", "memory": "1024", "cores": "2", "cpu": "max", "scsihw": "virtio-scsi-single", "agent": "1",
		"scsi0": "local:0,import-from=local:import/debian.qcow2,discard=on", "scsi1": "local:1", "ide2": "local:cloudinit",
		"net0": "virtio=BC:24:11:DE:80:B7,bridge=vmbr0", "serial0": "socket", "vga": "serial0", "boot": "order=scsi0", "ciuser": "tester",
		"ipconfig0": "ip=10.77.0.50/24,gw=10.77.0.1", "nameserver": "10.77.0.1", "searchdomain": "example.invalid",
		"sshkeys": "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIKn3f3XJx7gkp219pZEJCXCrF5aNwZYt1NevPyf%2FTXRS%20user%40host%0A",
	})
	p.do(t, "PUT", "/nodes/pve1/qemu/210/config", params{"delete": "scsi1"})
	p.do(t, "PUT", "/nodes/pve1/qemu/210/resize", params{"disk": "scsi0", "size": "+1G"})
	p.do(t, "POST", "/nodes/pve1/qemu/210/status/start", nil)
}

// locks12 are the locks that were set in a VM's configuration on the host.
var locks12 = map[int]func(p *player){
	37: locked(180, "migrate"), 67: locked(180, "backup"), 75: locked(180, "snapshot"),
	85: locked(180, "create"), 91: locked(180, "clone"), 99: locked(180, ""),
}

// others makes a VM at a node, and takes that node and another away.
func others(t *testing.T, p *player) {
	p.do(t, "POST", "/nodes/pve2/qemu", params{"vmid": "250"})
	s := p.server
	s.SetNodeOnline("pve2", false)
	s.SetNodeOnline("pve3", false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node("pve3").refuses = true
	s.node("pve2").stray, s.node("pve3").stray = true, true
}

// lasting lets the tasks from one exchange to before another take a while.
func lasting(from, to int) map[int]func(p *player) {
	set := func(d time.Duration) func(p *player) {
		return func(p *player) {
			p.server.mu.Lock()
			defer p.server.mu.Unlock()
			p.server.opts.TaskTime = d
		}
	}
	return map[int]func(p *player){from: set(300 * time.Millisecond), to: set(0)}
}

// held15 holds the lock of a VM's configuration from outside.
var held15 = map[int]func(p *player){
	53: func(p *player) { p.config(310, func(m *machine) { <-m.flock }) },
	72: func(p *player) { p.config(310, func(m *machine) { m.flock <- struct{}{} }) },
}

// guests09 are what the guest of the recording did: it took long to boot, and longer to have addresses, it was up again
// before it was cloned, and then it hung.
var guests09 = map[int]func(p *player){
	7: func(p *player) {
		p.server.Guest(210).SetDelay(time.Minute)
		p.server.Guest(210).SetNetworkDelay(time.Minute)
	},
	13: func(p *player) { booted(210)(p); p.server.Guest(210).SetDelay(0) },
	16: func(p *player) { p.server.Guest(210).SetNetworkDelay(0) },
	76: booted(210),
	83: booted(210),
	87: func(p *player) { p.server.Guest(210).RefuseShutdown(true) },
}

// guests09b likewise: it was up, and the next time it hung.
var guests09b = map[int]func(p *player){
	7:  booted(210),
	18: func(p *player) { booted(210)(p); p.server.Guest(210).RefuseShutdown(true) },
}

// booted waits until the guest of a VM is up.
func booted(vmid int) func(p *player) {
	return func(p *player) {
		for deadline := time.Now().Add(patience); !p.server.Guest(vmid).Boot() && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
}
