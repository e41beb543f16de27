package proxmox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// rig is a driver on a simulated cluster with pretended guests.
type rig struct {
	*Backend
	s *pvesim.Server
	t *testing.T
}

func newRig(t *testing.T, o pvesim.Options) rig {
	t.Helper()
	o.Guests = true
	s := pvesim.Start(t, o)
	b, err := open(t.Context(), Config{
		Config:   pve.Config{Endpoints: []string{s.URL()}, APIToken: s.Token(), CACertificate: s.CACertificate()},
		Defaults: Defaults{Storage: "local"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return rig{b, s, t}
}

// guest makes a VM whose guest runs and answers.
func (r rig) guest(name string, edit func(*backends.VMSpec)) (backends.ID, *pvesim.Guest) {
	r.t.Helper()
	spec := &backends.VMSpec{
		Name:  name,
		Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}}, Networks: map[string]backends.NIC{"lan": {Network: new("vmbr0")}},
	}
	if edit != nil {
		edit(spec)
	}
	id, err := r.CreateVM(r.t.Context(), spec)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.SetPower(r.t.Context(), id, backends.PowerOn); err != nil {
		r.t.Fatal(err)
	}
	vmid, _ := vmidOf(id)
	g := r.s.Guest(int(vmid))
	g.Boot()
	return id, g
}

func (r rig) read(aspects backends.Aspects, ids ...backends.ID) map[backends.ID]backends.Result {
	r.t.Helper()
	got, err := r.GetVMs(r.t.Context(), ids, aspects)
	if err != nil {
		r.t.Fatal(err)
	}
	for id, one := range got {
		if one.Err != nil {
			r.t.Fatalf("%s: %v", id, one.Err)
		}
	}
	return got
}

// asked counts the requests to agents.
func (r rig) asked() (n int) {
	for route, count := range r.s.Requests() {
		if strings.Contains(route, "/agent") {
			n += count
		}
	}
	return n
}

const refresh = backends.AspectConfig | backends.AspectRuntime | backends.AspectGuest

// A refresh costs each agent one request, details three more, and no agent that hangs, is silent or refuses holds it up or spoils it.
func TestGuest_refresh(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	web, _ := r.guest("web", nil)
	silent, g := r.guest("silent", nil)
	g.SetSilent(true)
	hanging, g := r.guest("hanging", nil)
	g.SetHanging(true)
	r.s.ResetRequests()
	began := time.Now()
	got := r.read(refresh, web, silent, hanging)
	if took := time.Since(began); took > 2*agentGlance {
		t.Errorf("the refresh took %s", took)
	}
	if n := r.asked(); n != 3 {
		t.Errorf("%d requests to three agents", n)
	}
	vm := got[web].VM
	if vm.Guest == nil || !vm.Guest.AgentRunning || vm.Guest.OS != "" {
		t.Errorf("the guest says %+v", vm.Guest)
	}
	if lan := vm.Networks["lan"]; len(lan.Addresses) == 0 || !strings.HasPrefix(lan.Addresses[0], "10.10.0.") || lan.Device == "" {
		t.Errorf("the interface is %+v", lan)
	}
	for _, id := range []backends.ID{silent, hanging} {
		if vm := got[id].VM; vm.Guest != nil || len(vm.Networks["lan"].Addresses) > 0 || vm.Power != backends.Running {
			t.Errorf("%s: %+v", vm.Config.Name, vm)
		}
	}

	r.s.ResetRequests()
	detailed := r.read(refresh|backends.AspectGuestDetail, web)[web].VM.Guest
	if detailed == nil || !strings.HasPrefix(detailed.OS, "Debian") || detailed.Kernel == "" || detailed.Hostname == "" || detailed.AgentVersion == "" || detailed.FileSystems != nil {
		t.Errorf("details: %+v", detailed)
	}
	if n := r.asked(); n != 4 {
		t.Errorf("%d requests for details", n)
	}
	r.s.ResetRequests()
	r.read(backends.AspectConfig|backends.AspectRuntime, web)
	if n := r.asked(); n != 0 {
		t.Errorf("%d requests to an agent that nobody asked for", n)
	}

	// Who may not ask gets no guest, and no error.
	r.s.Fault(pvesim.Fault{Route: "GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", Status: 403, Reason: "Permission check failed (/vms/100, VM.Monitor)", Times: 1})
	if vm := r.read(refresh, web)[web].VM; vm.Guest != nil {
		t.Errorf("who may not ask is told %+v", vm.Guest)
	}
}

// What GuestInfo finds, and what it says where there is nobody to ask.
func TestGuest_info(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id, g := r.guest("web", nil)
	info, err := r.GuestInfo(t.Context(), id)
	if err != nil || info.Hostname == "" || len(info.FileSystems) != 1 || info.FileSystems[0].MountPoint != "/" || info.FileSystems[0].UsedBytes <= 0 ||
		info.Users == nil || info.TimeZone != "UTC" || time.Since(info.Time).Abs() > time.Hour {
		t.Errorf("%+v (%v)", info, err)
	}
	g.SetSilent(true)
	wantAsk(t, r, id, backends.Precondition, "qemu-guest-agent")
	g.SetSilent(false)
	if err := r.SetPower(t.Context(), id, backends.PowerOff); err != nil {
		t.Fatal(err)
	}
	wantAsk(t, r, id, backends.Precondition, "Start the VM")
	wantAsk(t, r, "999999", backends.NotFound, "")
}

func wantAsk(t *testing.T, r rig, id backends.ID, code backends.Code, remedy string) {
	t.Helper()
	_, err := r.GuestInfo(t.Context(), id)
	var e *backends.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Remedy, remedy) || e.Op == "" {
		t.Errorf("%v, want %s with %q", err, code, remedy)
	}
}

// Commands run with arguments, variables and input, and what does not is said.
func TestGuest_exec(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id, g := r.guest("web", nil)
	var ran []string
	g.OnExec(func(command []string, input string) (string, string, int, bool) {
		ran = append(slices.Clone(command), input)
		return "out", "err", 3, command[0] != "/no/such"
	})
	got, err := r.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/x", Args: []string{"a b", "c"}, Env: []string{"K=v"}, Stdin: []byte("in\n")})
	if err != nil || got.ExitCode != 3 || string(got.Stdout) != "out" || string(got.Stderr) != "err" {
		t.Errorf("%+v (%v)", got, err)
	}
	if want := []string{"/usr/bin/env", "K=v", "/bin/x", "a b", "c", "in\n"}; !slices.Equal(ran, want) {
		t.Errorf("the guest ran %q, want %q", ran, want)
	}
	// The VM moves while the command runs: it is at another node than a moment ago.
	r.s.Fault(pvesim.Fault{Route: "GET /nodes/{node}/qemu/{vmid}/agent/exec-status", Status: 500, Reason: "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist", Times: 1})
	if got, err := r.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/x"}); err != nil || got.ExitCode != 3 {
		t.Errorf("%+v (%v)", got, err)
	}
	for name, cmd := range map[string]backends.GuestCommand{
		"missing": {Path: "/no/such"}, "too much": {Path: "/bin/x", Stdin: make([]byte, largestInput+1)}, "binary": {Path: "/bin/x", Stdin: []byte{0xff}},
	} {
		_, err := r.GuestExec(t.Context(), id, cmd)
		if backends.CodeOf(err) != backends.Invalid || !strings.Contains(err.Error(), `VM "web"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutput(t *testing.T) {
	for text, want := range map[string]string{"": "", "plain\n": "plain\n", "Ã¼ber": "über", "über": "über", "漢字": "漢字"} {
		if got := string(output(text)); got != want {
			t.Errorf("output(%q) is %q, want %q", text, got, want)
		}
	}
}

// Consoles by type: pages of Proxmox VE, and a file with a ticket.
func TestConsole_types(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	for kind, words := range map[string][]string{
		"vnc": {"novnc=1", "console=kvm", "vmid=", "node=pve1", "vmname=vnc"}, "serial": {"xtermjs=1", "console=kvm", "vmid="}, "spice": {"[virt-viewer]\n", "tls-port=", "password=", "proxy=http://127.0.0.1:3128\n"},
	} {
		id, _ := r.guest(kind, func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: &kind} })
		c, err := r.Console(t.Context(), id)
		if err != nil || c.Type != kind {
			t.Errorf("%s: %+v (%v)", kind, c, err)
			continue
		}
		text := c.URL
		if file, ok := strings.CutPrefix(text, viewer); ok {
			raw, err := base64.StdEncoding.DecodeString(file)
			if err != nil {
				t.Error(err)
			}
			if text = string(raw); c.Password == "" || c.Expires.IsZero() || !strings.Contains(text, "password="+c.Password+"\n") {
				t.Errorf("%s: %+v\n%s", kind, c, text)
			}
		} else if u, err := url.Parse(text); err != nil || "https://"+u.Host != r.s.URL() {
			t.Errorf("%s: %s", kind, text)
		}
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q does not have %q", kind, text, word)
			}
		}
	}
	id, _ := r.guest("none", func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("none")} })
	if _, err := r.Console(t.Context(), id); backends.CodeOf(err) != backends.Precondition {
		t.Errorf("a VM without a console: %v", err)
	}
}

// Networks are those of all nodes and of SDN; nodes that are down are hosts that are not online, and keep nothing from being listed.
func TestLists(t *testing.T) {
	r := newRig(t, pvesim.Options{Version: 9, Nodes: []string{"pve1", "pve2", "pve3"}})
	r.s.SetNodeOnline("pve3", false)
	hosts, err := r.Hosts(t.Context())
	if err != nil || len(hosts) != 3 || !hosts[0].Online || hosts[0].CPUs == 0 || hosts[0].MemoryMiB == 0 || hosts[2].Online || hosts[2].Name != "pve3" || hosts[0].Cluster == "" {
		t.Errorf("hosts %+v (%v)", hosts, err)
	}
	form := map[string]any{"zone": "z1", "type": "vlan", "bridge": "vmbr0"}
	for path, form := range map[string]map[string]any{"/cluster/sdn/zones": form} {
		if err := r.conn.Post(t.Context(), path, form, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.conn.Post(t.Context(), "/cluster/sdn/vnets", map[string]any{"vnet": "vn1", "zone": "z1", "tag": 77}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.conn.Task(t.Context(), "apply", "SDN", "PUT", "/cluster/sdn", nil); err != nil {
		t.Fatal(err)
	}
	networks, err := r.Networks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, n := range networks {
		text = append(text, fmt.Sprintf("%s %s %d %t", n.Name, n.Kind, n.VLAN, n.Active))
	}
	if want := []string{"vmbr0 bridge 0 true", "vmbr1 bridge 0 true", "vmbr2 bridge 0 true", "vn1 vnet 77 true"}; !slices.Equal(text, want) {
		t.Errorf("networks %q, want %q", text, want)
	}
}

// Tasks of a VM wherever they ran, one by its id, running ones and those that failed.
func TestTasks(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	id, _ := r.guest("web", nil)
	vmid, _ := vmidOf(id)
	_, err := r.conn.Task(t.Context(), "grow", "", "PUT", pve.Path("nodes", "pve1", "qemu", vmid, "resize"), map[string]any{"disk": "scsi0", "size": "1M"})
	all, listErr := r.Tasks(t.Context(), backends.TaskFilter{VM: id})
	if listErr != nil || len(all) < 2 {
		t.Fatalf("%+v (%v, %v)", all, listErr, err)
	}
	for i, task := range all {
		if task.VM != id || task.State == "running" || task.Started.IsZero() || task.Finished.Before(task.Started) {
			t.Errorf("%+v", task)
		}
		if i > 0 && task.Started.After(all[i-1].Started) {
			t.Error("the newest is not first")
		}
	}
	for _, missing := range []backends.TaskFilter{{VM: "999"}, {VM: "web"}, {ID: "UPID:x"}, {ID: "UPID:pve1:0000016E:0003A762:6B029B45:qmcreate:100:root@pam!tf:"}, {ID: "UPID:pve9:0000016E:0003A762:6B029B45:qmcreate:100:root@pam!tf:"}} {
		if got, err := r.Tasks(t.Context(), missing); err != nil || len(got) != 0 {
			t.Errorf("%+v: %+v (%v)", missing, got, err)
		}
	}
	for exit, want := range map[string]string{
		"OK": "success", "WARNINGS: 2": "success", "received interrupt": "canceled", "VM 100 already running": "error", "": "running", "RUNNING": "running",
	} {
		row := taskRow{UPID: "UPID:", Type: "qmstart", ID: "100", Start: 5, Status: pve.Text(exit)}
		if want != "running" {
			row.End = 6
		}
		if got := row.describe(); got.State != want || got.VM != "100" || (got.Error != "") != (want == "error" || want == "canceled") || got.Percent == 100 != (want == "success") {
			t.Errorf("%q: %+v, want %s", exit, got, want)
		}
	}
	if got := (taskRow{Type: "vzstart", ID: "100"}).describe(); got.VM != "" {
		t.Errorf("a container's task is that of VM %q", got.VM)
	}
}

// A guest that ignores what it is asked for is stopped at once afterwards: what waits for it does not stand in the way.
func TestPower_ignoredShutdown(t *testing.T) {
	for _, asked := range []backends.PowerAction{backends.Shutdown, backends.Reboot} {
		r := newRig(t, pvesim.Options{})
		id, g := r.guest("web", nil)
		g.RefuseShutdown(true)
		if err := r.SetPower(t.Context(), id, asked); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := r.SetPower(t.Context(), id, backends.PowerOff); err != nil {
			t.Errorf("%s, then stop: %v", asked, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s, then stop: it took %s", asked, took)
		}
	}
}
