package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

const (
	upid     = "UPID:pve1:000018D0:0005F5B2:6B02A12C:qmclone:100:root@pam!tf:"
	taskPath = "/nodes/pve1/tasks/" + upid
)

// task is a state of a task as it is recorded; exit "" is running.
func task(exit string) reply {
	t := map[string]any{
		"type": "qmclone", "upid": upid, "pstart": 390578, "node": "pve1", "user": "root@pam", "tokenid": "tf", "id": "100", "pid": 6352, "status": "running", "starttime": 1795334444,
	}
	if exit != "" {
		t["status"], t["exitstatus"] = "stopped", exit
	}
	return ok(t)
}

// lines is a log.
func lines(text ...string) reply {
	var all []map[string]any
	for i, l := range text {
		all = append(all, map[string]any{"n": i + 1, "t": l})
	}
	return ok(all)
}

func TestAwait(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task(""), task(""), task("OK"))
	o, err := c.Await(t.Context(), upid)
	if err != nil || !o.OK() || o.Node != "pve1" || o.Kind != "qmclone" || o.ID != "100" || o.Exit != "OK" {
		t.Errorf("%+v %v", o, err)
	}
	if n := f.count("GET " + taskPath + "/status"); n != 3 {
		t.Errorf("%d looks", n)
	}
	if n := f.count("GET " + taskPath + "/log"); n != 0 {
		t.Errorf("%d looks at a log that nobody wants to see", n)
	}
	for _, bad := range []string{"", "x", "UPID:pve1", "UPID:pve1:1:2:3"} {
		_, err = c.Await(t.Context(), bad)
		wants(t, err, backends.Internal, "not the id of a task")
	}
}

func TestTaskThatEndsAtOnceCostsOneLook(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task("OK"))
	if _, err := c.Await(t.Context(), upid); err != nil || f.count("GET "+taskPath+"/status") != 1 {
		t.Error(err)
	}
}

func TestTaskWithWarnings(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task("WARNINGS: 2"))
	f.on("GET "+taskPath+"/log", lines("create linked clone", "WARN: the first", "done", "WARN: the second", "TASK WARNINGS: 2"))
	var told []backends.Warning
	ctx := backends.WithWarnings(t.Context(), func(w backends.Warning) { told = append(told, w) })
	o, err := c.Run(ctx, "clone", `VM "web"`, func(context.Context) (string, error) { return upid, nil })
	if err != nil || !o.OK() || strings.Join(o.Warnings, "|") != "WARN: the first|WARN: the second" {
		t.Errorf("%+v %v", o, err)
	}
	if len(told) != 1 || told[0].Summary != `Proxmox VE warns of VM "web"` || !strings.Contains(told[0].Detail, "the first\nWARN: the second") || !strings.Contains(told[0].Detail, upid) {
		t.Errorf("the user is told %+v", told)
	}
}

func TestTaskThatFails(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task(""), task("start failed: QEMU exited with code 1"))
	f.on("GET "+taskPath+"/log", lines("kvm: -drive file=/x.raw: Could not open '/x.raw': No space left on device", "TASK ERROR: start failed: QEMU exited with code 1"))
	o, err := c.Await(t.Context(), upid)
	wants(t, err, backends.Exhausted, "start failed", "No space left on device")
	if o.OK() || o.Exit == "" || strings.Contains(err.Error(), "TASK ERROR") {
		t.Errorf("%+v %v", o, err)
	}
	var failure *fault.Failure
	if !errors.As(err, &failure) || failure.UPID != upid {
		t.Error(failure)
	}
	f.on("GET "+taskPath+"/status", task("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"))
	f.on("GET "+taskPath+"/log", bare(595, "Connection refused")) // the exit status is enough
	_, err = c.Await(t.Context(), upid)
	wants(t, err, backends.Locked, "got timeout")
	f.on("GET "+taskPath+"/status", ok(map[string]any{"status": "stopped", "exitstatus": nil}))
	_, err = c.Await(t.Context(), upid)
	wants(t, err, backends.Transient, "broken off")
}

func TestTaskWhoseNodeIsAway(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	away := bare(595, "Connection refused")
	f.on("GET "+taskPath+"/status", task(""), away, away, away, away, drop, task("OK"))
	o, err := c.Await(t.Context(), upid)
	if err != nil || !o.OK() {
		t.Error(o, err)
	}
	// It stays away: the context decides how long that is borne.
	f.on("GET "+taskPath+"/status", task(""), away)
	f.on("DELETE "+taskPath, away)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = c.Await(ctx, upid)
	wants(t, err, backends.Timeout, "pve1", "does not answer")
}

func TestTaskNobodyKnows(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task(""), reply{
		status: 400, reason: "Parameter verification failed.", body: `{"data":null,"message":"Parameter verification failed.\n","errors":{"upid":"no such task"}}`,
	})
	_, err := c.Await(t.Context(), upid)
	wants(t, err, backends.Transient, "no longer knows the task")
	f.on("GET "+taskPath+"/status", no(403, "Permission check failed (/nodes/pve1, Sys.Audit)"))
	_, err = c.Await(t.Context(), upid)
	wants(t, err, backends.Auth, "Sys.Audit")
}

// stoppable plays a task that ends so when it is stopped.
func stoppable(f *fake, exit string) {
	f.on("GET "+taskPath+"/status", task(""))
	f.on("DELETE "+taskPath, reply{handle: func(w http.ResponseWriter, r *http.Request) {
		f.on("GET "+taskPath+"/status", task(exit))
		ok(nil).play(w, r)
	}})
}

func TestInterruptStopsTheTask(t *testing.T) {
	for exit, words := range map[string]string{
		"clone failed: received interrupt": "the task was stopped", "OK": "had done its work", "unexpected status": "the task was stopped", "VM is locked (x)": "the task was stopped: VM is locked",
	} {
		f := newFake(t)
		c := connected(t, f.config())
		stoppable(f, exit)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		o, err := c.Await(ctx, upid)
		wants(t, err, backends.Canceled, words)
		if !errors.Is(err, context.Canceled) || o.Exit != exit || f.count("DELETE "+taskPath) != 1 {
			t.Errorf("%+v %v", o, err)
		}
	}
}

func TestTaskThatCannotBeStopped(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET "+taskPath+"/status", task(""))
	f.on("DELETE "+taskPath, no(403, "Permission check failed (/nodes/pve1, Sys.Modify)"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o, err := c.Await(ctx, upid)
	wants(t, err, backends.Timeout, "still works on the task "+upid, "Sys.Modify")
	if o.Exit != "" {
		t.Errorf("%+v", o)
	}
}

func TestRun(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("POST /nodes/pve1/qemu/100/clone", ok(upid))
	f.on("GET "+taskPath+"/status", task("OK"))
	var mu sync.Mutex
	var reports []string
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, fmt.Sprintf("%s %s %s %d", p.Op, p.Object, p.Task, p.Percent))
	})
	o, err := c.Task(ctx, "clone", `VM "web"`, "POST", "/nodes/pve1/qemu/100/clone", map[string]any{"newid": 101})
	if err != nil || o.UPID != upid {
		t.Error(o, err)
	}
	if want := fmt.Sprintf(`[clone VM "web" %s 0 clone VM "web" %s 100]`, upid, upid); fmt.Sprint(reports) != want {
		t.Errorf("%v, want %s", reports, want)
	}
	// What is done at once has no task.
	f.on("PUT /nodes/pve1/qemu/100/config", ok(nil))
	if o, err := c.Task(ctx, "update", `VM "web"`, "PUT", "/nodes/pve1/qemu/100/config", nil); err != nil || !o.OK() || o.UPID != "" {
		t.Error(o, err)
	}
	f.on("POST /nodes/pve1/qemu/100/clone", no(500, "storage 'x' does not exist"))
	_, err = c.Task(ctx, "clone", `VM "web"`, "POST", "/nodes/pve1/qemu/100/clone", nil)
	if err == nil || err.Error() != `Unable to clone VM "web": storage 'x' does not exist` || backends.CodeOf(err) != backends.Precondition {
		t.Error(err)
	}
	f.on("DELETE /nodes/pve1/qemu/100", ok(upid))
	f.on("GET "+taskPath+"/status", task("VM 100 is running - destroy failed"))
	f.on("GET "+taskPath+"/log", lines())
	_, err = c.Task(ctx, "delete", `VM "web"`, "DELETE", "/nodes/pve1/qemu/100", nil)
	wants(t, err, backends.Precondition, `Unable to delete VM "web": VM 100 is running`)
}

// An interrupt while the request is on its way leaves no task behind that nobody knows.
func TestInterruptWhileATaskIsStarted(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	stoppable(f, "clone failed: received interrupt")
	ctx, cancel := context.WithCancel(t.Context())
	f.on("POST /nodes/pve1/qemu/100/clone", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		ok(upid).play(w, r)
	}})
	_, err := c.Task(ctx, "clone", `VM "web"`, "POST", "/nodes/pve1/qemu/100/clone", nil)
	wants(t, err, backends.Canceled, "the task was stopped")
	if f.count("DELETE "+taskPath) != 1 {
		t.Error("the task goes on")
	}
	_, err = c.Task(ctx, "clone", `VM "web"`, "POST", "/nodes/pve1/qemu/100/clone", nil)
	wants(t, err, backends.Canceled)
	if f.count("POST /nodes/pve1/qemu/100/clone") != 1 {
		t.Error("a task was started after the interrupt")
	}
}

func TestProgressOfATask(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	clock := time.Now()
	var mu sync.Mutex
	c.creds.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		clock = clock.Add(logLook)
		return clock
	}
	f.on("GET "+taskPath+"/status", task(""), task(""), task(""), task(""), task("OK"))
	f.on("GET "+taskPath+"/log",
		lines("create full clone of drive scsi0", "transferred 0.0 B of 2.0 GiB (0.00%)"),
		ok([]map[string]any{{"n": 3, "t": "transferred 512.0 MiB of 2.0 GiB (25.00%)"}, {"n": 4, "t": "transferred 1.0 GiB of 2.0 GiB (50.03%)"}}),
		ok([]any{}))
	var percents []int
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) { percents = append(percents, p.Percent) })
	if _, err := c.Await(ctx, upid); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(percents) != "[0 0 50 100]" {
		t.Error(percents)
	}
	if got := f.got("GET " + taskPath + "/log"); len(got) != 3 || got[1].form.Get("start") != "2" || got[2].form.Get("start") != "4" {
		t.Errorf("%+v", got)
	}
}

func TestManyTasks(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		id := fmt.Sprintf("UPID:pve1:000018D0:0005F5B2:6B02A12C:qmcreate:%d:root@pam!tf:", i)
		f.on("GET /nodes/pve1/tasks/"+id+"/status", task(""), task(""), task("OK"))
		wg.Go(func() {
			if o, err := c.Await(t.Context(), id); err != nil || o.ID != fmt.Sprint(i) {
				t.Error(o, err)
			}
		})
	}
	wg.Wait()
}
