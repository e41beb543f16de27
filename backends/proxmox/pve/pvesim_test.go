package pve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// to is how a simulated cluster is reached by token.
func to(s *pvesim.Server) Config {
	return Config{Endpoints: []string{s.URL()}, APIToken: s.Token(), CACertificate: s.CACertificate(), RequestTimeout: 20 * time.Second}
}

// asRoot is how it is reached by password.
func asRoot(s *pvesim.Server) Config {
	cfg := to(s)
	cfg.APIToken, cfg.Username, cfg.Password = "", "root@pam", s.Password()
	return cfg
}

func TestSimulatedCluster(t *testing.T) {
	for _, version := range []int{8, 9} {
		s := pvesim.Start(t, pvesim.Options{Version: version})
		c := connected(t, to(s))
		if c.Version().Major != version {
			t.Errorf("%+v", c.Version())
		}
		cfg := to(s)
		cfg.CACertificate, cfg.Fingerprint = "", s.Fingerprint()
		connected(t, cfg)

		form := map[string]any{"vmid": 500, "name": "web", "memory": 512, "scsi0": "local-lvm:1", "onboot": true}
		o, err := c.Task(t.Context(), "create", `VM "web"`, http.MethodPost, Path("nodes", "pve1", "qemu"), form)
		if err != nil || o.ID != "500" || o.Kind != "qmcreate" {
			t.Fatalf("%+v %v", o, err)
		}
		var config Values
		if err := c.Get(t.Context(), "/nodes/pve1/qemu/500/config", nil, &config); err != nil || config["name"] != "web" || config["memory"] != "512" || config["onboot"] != "1" {
			t.Errorf("%v %v", config, err)
		}
		_, err = c.Task(t.Context(), "create", `VM "web"`, http.MethodPost, Path("nodes", "pve1", "qemu"), form)
		if !errors.Is(err, fault.ErrTaken) || !errors.Is(err, backends.ErrConflict) {
			t.Error(err)
		}
		err = c.Put(t.Context(), "/nodes/pve1/qemu/500/config", map[string]any{"name": "db", "digest": strings.Repeat("0", 40)}, nil)
		if !errors.Is(err, fault.ErrDigest) {
			t.Error(err)
		}
		err = c.Put(t.Context(), "/nodes/pve1/qemu/500/config", map[string]any{"net0": "virtio,bridge=vmbr0,tag=5000"}, nil)
		blamed := fault.Blame(err, func(param string) backends.Path {
			return map[string]backends.Path{"net0.tag": `nics["lan"].vlan`}[param]
		})
		if e := told(blamed); e == nil || e.Code != backends.Invalid || e.Path != `nics["lan"].vlan` {
			t.Errorf("%+v", blamed)
		}
		wants(t, c.Get(t.Context(), "/nodes/pve1/qemu/999/config", nil, nil), backends.NotFound)
		wants(t, c.Get(t.Context(), "/nodes/pve1/nonsense", nil, nil), backends.Unsupported)
		if _, err = c.Task(t.Context(), "delete", `VM "web"`, http.MethodDelete, "/nodes/pve1/qemu/500", map[string]any{"purge": true}); err != nil {
			t.Error(err)
		}
		_, err = c.Task(t.Context(), "start", `VM "web"`, http.MethodPost, "/nodes/pve1/qemu/500/status/start", nil)
		wants(t, err, backends.NotFound) // by the task
	}
}

func TestSimulatedSessions(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{})
	c := connected(t, asRoot(s))
	if s.Logins() != 1 {
		t.Errorf("%d logins", s.Logins())
	}
	s.ExpireTickets()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := c.Post(t.Context(), "/pools", map[string]any{"poolid": fmt.Sprintf("p%d", i)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Logins() != 2 {
		t.Errorf("%d logins", s.Logins())
	}
	// By the ticket, when that gets old.
	now := time.Now()
	c.creds.now = func() time.Time { return now.Add(70 * time.Minute) }
	if err := c.Get(t.Context(), "/nodes", nil, nil); err != nil || s.Logins() != 3 || s.RefusedLogins() != 0 {
		t.Error(err, s.Logins(), s.RefusedLogins())
	}

	cfg := asRoot(s)
	cfg.Password = "wrong-password"
	_, err := Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "authentication failure")
	if s.RefusedLogins() != 1 {
		t.Errorf("%d refused logins", s.RefusedLogins())
	}
	cfg = to(s)
	cfg.APIToken = "root@pam!tf=00000000-0000-0000-0000-000000000000"
	_, err = Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "root@pam!tf")
}

func TestSimulatedSecondFactor(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{})
	s.AddUser("tester@pve", "Secret123!")
	s.SetTOTP("tester@pve", "JBSWY3DPEHPK3PXP")
	cfg := asRoot(s)
	cfg.Username, cfg.Password = "tester@pve", "Secret123!"
	_, err := Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "second factor")
	cfg.OTP = "JBSW Y3DP EHPK 3PXP"
	connected(t, cfg)
}

func TestSimulatedPrivileges(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{VMs: 1})
	s.AddUser("tester@pve", "Secret123!")
	cfg := to(s)
	cfg.APIToken = s.AddToken("tester@pve", "tf", true)
	c := connected(t, cfg)
	err := c.Get(t.Context(), "/nodes/pve1/qemu/100/config", nil, nil)
	wants(t, err, backends.Auth, "the account tester@pve!tf lacks the privilege VM.Audit on /vms/100", "pveum acl modify /vms/100 --roles PVEVMAdmin --tokens 'tester@pve!tf'")
	if strings.Contains(fmt.Sprint(err), strings.SplitN(cfg.APIToken, "=", 2)[1]) {
		t.Error(err)
	}
	_, err = c.Task(t.Context(), "create", `VM "web"`, http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 300})
	wants(t, err, backends.Auth, "VM.Allocate")
}

func TestSimulatedRestart(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{Delay: 5 * time.Millisecond})
	c := connected(t, to(s))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := c.Get(t.Context(), "/nodes", nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		if err := s.Restart(); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
}

func TestSimulatedNodeThatIsDown(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}})
	c := connected(t, to(s))
	s.SetNodeOnline("pve2", false)
	wants(t, c.Get(t.Context(), "/nodes/pve2/status", nil, nil), backends.Transient, "node pve2 does not answer", "595")
	_, err := c.Task(t.Context(), "create", `VM "web"`, http.MethodPost, "/nodes/pve2/qemu", map[string]any{"vmid": 300})
	wants(t, err, backends.Transient, "node pve2 does not answer")
	time.AfterFunc(200*time.Millisecond, func() { s.SetNodeOnline("pve2", true) })
	if err := c.Get(t.Context(), "/nodes/pve2/status", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestSimulatedTaskMeetsTrouble(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, TaskTime: 300 * time.Millisecond})
	c := connected(t, asRoot(s))
	const status = "GET /nodes/{node}/tasks/{upid}/status"
	s.Fault(pvesim.Fault{Route: status, Status: 599, Times: 6})
	s.Fault(pvesim.Fault{Route: status, Drop: true, Times: 2})
	time.AfterFunc(100*time.Millisecond, s.ExpireTickets)
	o, err := c.Task(t.Context(), "create", `VM "web"`, http.MethodPost, "/nodes/pve2/qemu", map[string]any{"vmid": 300})
	if err != nil || !o.OK() {
		t.Error(o, err)
	}
	var vms []struct{ VMID Int }
	if err := c.Get(t.Context(), "/cluster/resources", url.Values{"type": {"vm"}}, &vms); err != nil {
		t.Error(err)
	}
	n := 0
	for _, vm := range vms {
		if vm.VMID == 300 {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%+v", vms)
	}
}

func TestSimulatedInterrupt(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{TaskTime: time.Minute})
	c := connected(t, to(s))
	ctx, cancel := context.WithCancel(t.Context())
	ctx = backends.WithProgress(ctx, func(backends.Progress) { cancel() })
	o, err := c.Task(ctx, "create", `VM "web"`, http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 300, "scsi0": "local-lvm:1"})
	wants(t, err, backends.Canceled, "was stopped")
	if o.OK() || o.Exit == "" {
		t.Errorf("%+v", o)
	}
}

func TestSimulatedUpload(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{})
	c := connected(t, to(s))
	content := strings.Repeat("an ISO image ", 1000)
	sum := sha256.Sum256([]byte(content))
	up := func(name, checksum string) (Outcome, error) {
		return c.Run(t.Context(), "upload", `image "x"`, func(ctx context.Context) (string, error) {
			var upid string
			err := c.Upload(ctx, uploadPath, Upload{
				Fields: map[string]string{"content": "iso", "checksum": checksum, "checksum-algorithm": "sha256"}, Filename: name, Size: int64(len(content)), File: strings.NewReader(content),
			}, &upid)
			return upid, err
		})
	}
	if o, err := up("x.iso", hex.EncodeToString(sum[:])); err != nil {
		t.Error(o, err)
	}
	var files []struct {
		VolID Text
		Size  Int
	}
	if err := c.Get(t.Context(), "/nodes/pve1/storage/local/content", url.Values{"content": {"iso"}}, &files); err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, f := range files {
		found = found || f.VolID == "local:iso/x.iso" && int(f.Size) == len(content)
	}
	if !found {
		t.Errorf("%+v", files)
	}
	_, err := up("y.iso", strings.Repeat("0", 64))
	wants(t, err, backends.Invalid, "checksum mismatch")
	_, err = up("y.txt", hex.EncodeToString(sum[:]))
	wants(t, err, backends.Invalid, "wrong file extension")
}

func TestSimulatedClusterByTheSDK(t *testing.T) {
	s := pvesim.Start(t, pvesim.Options{VMs: 2})
	c := connected(t, asRoot(s))
	list, err := c.SDK().GetResourceList(t.Context(), "vm")
	if err != nil || len(list) != 2 {
		t.Error(list, err)
	}
	if v, err := c.SDK().GetVersion(t.Context()); err != nil || v.Major != 8 {
		t.Error(v, err)
	}
}
