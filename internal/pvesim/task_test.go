package pvesim

import (
	"fmt"
	"testing"
	"time"
)

// started starts a task of root@pam!tf with some work.
func started(s *Server, kind, id string, work func(w *worker) error) *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tasks.byUPID[s.forkAs(&login{name: "root@pam", token: "tf"}, s.nodes[0].name, kind, id, work)]
}

func TestTask(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	goOn := make(chan struct{})
	task := started(s, "qmcreate", "100", func(w *worker) error {
		w.logf("first\nsecond")
		<-goOn
		return die("it\nfailed")
	})
	path := "/nodes/pve1/tasks/" + task.upid
	a := c.want(200, "OK", "GET", path+"/status", "").data()
	if a["status"] != "running" || a["exitstatus"] != nil || a["user"] != "root@pam" || a["tokenid"] != "tf" || a["id"] != "100" {
		t.Errorf("status of what runs: %v", a)
	}
	rows := c.want(200, "OK", "GET", "/nodes/pve1/tasks", "source=active").rows()
	if len(rows) != 1 || rows[0]["status"] != "RUNNING" || rows[0]["user"] != "root@pam!tf" {
		t.Errorf("what runs: %v", rows)
	}
	if rows := c.want(200, "OK", "GET", "/nodes/pve1/tasks", "").rows(); len(rows) != 0 {
		t.Errorf("what ended: %v", rows)
	}
	close(goOn)
	<-task.done
	a = c.want(200, "OK", "GET", path+"/status", "").data()
	if a["status"] != "stopped" || a["exitstatus"] != "it failed" {
		t.Errorf("status of what ended: %v", a)
	}
	log := c.want(200, "OK", "GET", path+"/log", "")
	if rows := log.rows(); len(rows) != 3 || rows[1]["t"] != "second" || rows[2]["t"] != "TASK ERROR: it failed" || fmt.Sprint(log.body["total"]) != "3" {
		t.Errorf("log %v", log.body)
	}
	if rows := c.want(200, "OK", "GET", path+"/log", "start=1&limit=1").rows(); len(rows) != 1 || fmt.Sprint(rows[0]["n"]) != "2" {
		t.Errorf("second line: %v", rows)
	}
	if rows := c.want(200, "OK", "GET", "/cluster/log", "max=1").rows(); len(rows) != 1 || rows[0]["msg"] != "end task "+task.upid+" it failed" {
		t.Errorf("the cluster's log: %v", rows)
	}
	c.want(400, "Parameter verification failed.", "GET", "/nodes/pve1/tasks/garbage/status", "").fails(t, "upid", "unable to parse worker upid")
	c.want(400, "Parameter verification failed.", "GET", "/nodes/pve1/tasks/UPID:pve1:00000001:00000001:6B029B45:qmstart:100:root@pam:/status", "").
		fails(t, "upid", "no such task")
}

func TestTaskIsStopped(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	task := started(s, "download", "slow.iso", func(w *worker) error { return w.pause(time.Hour) })
	path := "/nodes/pve1/tasks/" + task.upid
	c.want(200, "OK", "DELETE", path, "")
	if a := c.want(200, "OK", "GET", path+"/status", "").data(); a["exitstatus"] != "received interrupt" {
		t.Errorf("stopped: %v", a)
	}
	c.want(200, "OK", "DELETE", path, "")
}

func TestTasksAreFiltered(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	for i, err := range []error{nil, die("no"), warnings(2), nil} {
		<-started(s, "qmstart", fmt.Sprint(100+i), func(*worker) error { return err }).done
	}
	for form, want := range map[string]int{
		"": 4, "errors=1": 2, "statusfilter=error": 1, "statusfilter=ok,warning": 3, "vmid=101": 1, "typefilter=qmstop": 0,
		"limit=2": 2, "start=3": 1, "userfilter=root": 4, "userfilter=no": 0, "since=1&until=2": 0,
	} {
		a := c.want(200, "OK", "GET", "/nodes/pve1/tasks", form)
		if len(a.rows()) != want {
			t.Errorf("%s: %d tasks, want %d", form, len(a.rows()), want)
		}
		if _, has := a.body["total"]; has != (want > 0) {
			t.Errorf("%s: total %v", form, a.body["total"])
		}
	}
	s.AddUser("tester@pve", "Secret123!")
	other := c.byToken(s.AddToken("tester@pve", "tok", false))
	if rows := other.want(200, "OK", "GET", "/nodes/pve1/tasks", "").rows(); len(rows) != 0 {
		t.Errorf("another user sees %v", rows)
	}
	upid := c.do("GET", "/nodes/pve1/tasks", "").rows()[0]["upid"]
	other.want(403, "Permission check failed (/nodes/pve1, Sys.Audit)", "GET", fmt.Sprintf("/nodes/pve1/tasks/%s/status", upid), "")
	if a := c.do("GET", fmt.Sprintf("/nodes/pve1/tasks/%s/status", upid), "").data(); a["exitstatus"] != "OK" {
		t.Errorf("newest: %v", a)
	}
}

// TestPanicIsReported keeps a mistake in work from ending the process, and from going unseen.
func TestPanicIsReported(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	<-started(s, "qmstart", "100", func(*worker) error { panic("mistake") }).done
	s.Close()
	if len(s.panics) != 1 {
		t.Errorf("panics %q", s.panics)
	}
}

// A node knows its own tasks only.
func TestTaskAtOtherNode(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}})
	upid, _ := b.do("POST", "/nodes/pve2/qemu", "vmid=100").(string)
	ended(t, b.Server, upid)
	for _, what := range []string{"/status", "/log"} {
		b.do("GET", "/nodes/pve2/tasks/"+upid+what, "")
		b.refused("GET", "/nodes/pve1/tasks/"+upid+what, "", "upid: no such task")
	}
	b.refused("DELETE", "/nodes/pve1/tasks/"+upid, "", "upid: no such task")
}
