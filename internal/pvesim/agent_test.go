package pvesim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// agentCall asks the agent of VM 900 in the process and returns what it says, as JSON has it.
func agentCall(t *testing.T, s *Server, method, path string, p params) (any, error) {
	t.Helper()
	data, err := s.call(method, "/nodes/pve1/qemu/900/agent"+path, p)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	return plain, nil
}

// An agent answers only in a VM that runs, with a guest on its disk, with the device in its configuration, once it has booted.
func TestAgentAnswers(t *testing.T) {
	for _, version := range []int{8, 9} {
		s := Start(t, Options{Version: version})
		m := guestVM(t, s, true, nil)
		_, err := agentCall(t, s, "POST", "/ping", nil)
		wantError(t, err, "VM 900 is not running")
		s.Guest(900).SetDelay(time.Hour)
		m.power(s, true)
		_, err = agentCall(t, s, "POST", "/ping", nil)
		wantError(t, err, "QEMU guest agent is not running")
		if !s.Guest(900).Boot() {
			t.Fatal("the guest does not boot")
		}
		if _, err = agentCall(t, s, "POST", "/ping", nil); err != nil {
			t.Error(err)
		}
		s.Guest(900).SetSilent(true)
		_, err = agentCall(t, s, "GET", "/get-osinfo", nil)
		wantError(t, err, "QEMU guest agent is not running")
		s.Guest(900).SetSilent(false)
		s.mu.Lock()
		m.paused = true
		s.mu.Unlock()
		_, err = agentCall(t, s, "GET", "/get-osinfo", nil)
		wantError(t, err, "QEMU guest agent is not running")
		s.mu.Lock()
		m.paused = false
		delete(m.config, "agent")
		s.mu.Unlock()
		_, err = agentCall(t, s, "GET", "/get-osinfo", nil)
		wantError(t, err, "No QEMU guest agent configured")
	}
}

func TestAgentCommands(t *testing.T) {
	s := Start(t, Options{})
	m := guestVM(t, s, true, map[string]string{"ciuser": "tester"})
	m.power(s, true)
	s.Guest(900).Boot()
	ask := func(method, path string, p params) any {
		t.Helper()
		got, err := agentCall(t, s, method, path, p)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := field(ask("GET", "/get-vcpus", nil), "result").([]any); len(got) != 2 {
		t.Errorf("processors: %v", got)
	}
	if got := field(ask("GET", "/get-memory-blocks", nil), "result").([]any); len(got) != 6 {
		t.Errorf("memory: %v", got)
	}
	if v := field(ask("GET", "/info", nil), "result", "version"); v == "" || v == nil {
		t.Error("the agent has no version")
	}
	ask("POST", "/file-write", params{"file": "/root/x", "content": "hello"})
	if got := ask("GET", "/file-read", params{"file": "/root/x"}); field(got, "content") != "hello" || field(got, "bytes-read") != 5.0 {
		t.Errorf("the file: %v", got)
	}
	if text, ok := s.Guest(900).File("/root/x"); !ok || text != "hello" {
		t.Errorf("a test sees %q", text)
	}
	_, err := agentCall(t, s, "GET", "/file-read", params{"file": "/nope"})
	wantError(t, err, "Agent error: failed to open file '/nope' (mode: 'r'): No such file or directory")

	pid := func(p params) params { return params{"pid": plain(field(ask("POST", "/exec", p), "pid"))} }
	p := pid(params{"command": "sh\x00-c\x00echo out; echo err >&2; exit 3"})
	if got := ask("GET", "/exec-status", p); field(got, "out-data") != "out\n" || field(got, "err-data") != "err\n" || field(got, "exitcode") != 3.0 {
		t.Errorf("the script: %v", got)
	}
	_, err = agentCall(t, s, "GET", "/exec-status", p)
	wantError(t, err, "Agent error: Invalid parameter 'pid'")
	_, err = agentCall(t, s, "POST", "/exec", params{"command": "/no/such/binary"})
	wantError(t, err, "Broken pipe")
	s.Guest(900).OnExec(func(command []string, input string) (string, string, int, bool) {
		return strings.Join(command, "+") + input, "", 7, true
	})
	if got := ask("GET", "/exec-status", pid(params{"command": "a\x00b", "input-data": "!"})); field(got, "out-data") != "a+b!" || field(got, "exitcode") != 7.0 {
		t.Errorf("what the test runs: %v", got)
	}

	_, err = agentCall(t, s, "POST", "/set-user-password", params{"username": "nobody-here", "password": "Abc12345!"})
	wantError(t, err, "Agent error: child process has failed to set user password")
	ask("POST", "/set-user-password", params{"username": "tester", "password": "Abc12345!"})

	ask("POST", "/fsfreeze-freeze", nil)
	if got := ask("POST", "", params{"command": "fsfreeze-status"}); field(got, "result") != "frozen" {
		t.Errorf("frozen: %v", got)
	}
	if got := ask("GET", "/get-fsinfo", nil); field(got, "result", "error", "desc") == nil {
		t.Errorf("a frozen guest answers %v", got)
	}
	ask("POST", "/fsfreeze-thaw", nil)
	if got, _ := field(ask("GET", "/get-fsinfo", nil), "result").([]any); len(got) != 1 || field(got[0], "mountpoint") != "/" {
		t.Errorf("file systems: %v", got)
	}
	if got := ask("GET", "", nil).([]any); len(got) != 25 {
		t.Errorf("%d commands", len(got))
	}
}

// A guest that is told by its agent to shut down turns its VM off.
func TestAgentShutdown(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	m := guestVM(t, s, true, nil)
	if exit := c.ends(c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/status/start", "")); exit != "OK" {
		t.Fatal(exit)
	}
	s.Guest(900).Boot()
	c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/agent/shutdown", "")
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(time.Millisecond) {
		s.mu.Lock()
		off := !m.running
		s.mu.Unlock()
		if off {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the VM runs on")
		}
	}
	c.want(500, "VM 900 is not running", "POST", "/nodes/pve1/qemu/900/agent/ping", "")
}

// An agent that hangs costs each question as long as Proxmox VE waits, and holds up nobody else.
func TestAgentHangs(t *testing.T) {
	s := Start(t, Options{AgentWait: 300 * time.Millisecond})
	m := guestVM(t, s, true, nil)
	m.power(s, true)
	s.Guest(900).Boot()
	s.Guest(900).SetHanging(true)
	begun := time.Now()
	asked := make(chan error, 1)
	go func() {
		_, err := s.call("POST", "/nodes/pve1/qemu/900/agent/ping", nil)
		asked <- err
	}()
	if _, err := s.call("GET", "/version", nil); err != nil {
		t.Error(err)
	}
	wantError(t, <-asked, "QEMU guest agent is not running")
	if time.Since(begun) < 300*time.Millisecond {
		t.Error("the agent was not waited for")
	}
	s.Guest(900).SetHanging(false)
	if _, err := agentCall(t, s, "POST", "/ping", nil); err != nil {
		t.Errorf("once it answers again: %v", err)
	}
}
