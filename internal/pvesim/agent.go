package pvesim

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// agentWait is how long Proxmox VE waits for an agent that does not answer.
const agentWait = 3 * time.Second

// agentCommands are those that take no parameters, with the method of their own path.
var agentCommands = map[string]string{
	"fsfreeze-freeze": "POST", "fsfreeze-status": "POST", "fsfreeze-thaw": "POST", "fstrim": "POST", "ping": "POST",
	"shutdown": "POST", "suspend-disk": "POST", "suspend-hybrid": "POST", "suspend-ram": "POST",
	"get-fsinfo": "GET", "get-host-name": "GET", "get-memory-block-info": "GET", "get-memory-blocks": "GET", "get-osinfo": "GET",
	"get-time": "GET", "get-timezone": "GET", "get-users": "GET", "get-vcpus": "GET", "info": "GET", "network-get-interfaces": "GET",
}

func init() {
	const base = "/nodes/{node}/qemu/{vmid}/agent"
	for name, method := range agentCommands {
		handle(method+" "+base+"/"+name, func(r *request) (any, error) { return r.agentCommand(name) })
	}
	handle("POST "+base, func(r *request) (any, error) { return r.agentCommand(r.p["command"]) })
	handle("GET "+base, agentIndex)
	handle("POST "+base+"/exec", agentExec)
	handle("GET "+base+"/exec-status", agentExecStatus)
	handle("GET "+base+"/file-read", agentFileRead)
	handle("POST "+base+"/file-write", agentFileWrite)
	handle("POST "+base+"/set-user-password", agentSetPassword)
}

func agentIndex(*request) (any, error) {
	names := []string{"exec", "exec-status", "file-read", "file-write", "set-user-password"}
	for name := range agentCommands {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]map[string]any, len(names))
	for i, name := range names {
		list[i] = map[string]any{"name": name}
	}
	return list, nil
}

// agent is the VM that the path names, whose agent answers.
func (r *request) agent() (*machine, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if m.config["agent"] == "" {
		return nil, die("No QEMU guest agent configured")
	}
	if !m.running {
		return nil, die("VM %d is not running", m.id)
	}
	if r.guestAnswers(m) {
		return m, nil
	}
	patience := r.opts.AgentWait
	if m.control.hanging && patience == 0 {
		patience = agentWait
	}
	if patience > 0 {
		r.unlocked(func() { r.waitForAgent(patience) })
	}
	return nil, die("QEMU guest agent is not running")
}

// waitForAgent waits as long as Proxmox VE has patience, or its client.
func (r *request) waitForAgent(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	case <-r.cluster.ctx.Done():
	}
}

// whileFrozen are the commands that an agent takes whose file systems are frozen.
var whileFrozen = []string{"fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw", "info", "ping"}

func (r *request) agentCommand(name string) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	if m.inGuest.frozen && !slices.Contains(whileFrozen, name) {
		return agentFailure("CommandNotFound", "Command guest-"+name+" has been disabled: the agent is in frozen state"), nil
	}
	if strings.HasPrefix(name, "suspend-") {
		return agentFailure("GenericError", "this suspend mode is not supported by OS"), nil
	}
	return map[string]any{"result": r.agentResult(m, name)}, nil
}

// agentFailure is what stands in place of a result where the agent refuses.
func agentFailure(class, description string) any {
	return map[string]any{"result": map[string]any{"error": map[string]any{"class": class, "desc": description}}}
}

// agentResult is what the agent answers to a command without parameters.
func (r *request) agentResult(m *machine, name string) any {
	g := m.inGuest
	switch name {
	case "fsfreeze-freeze":
		g.frozen = true
		return 1
	case "fsfreeze-thaw":
		was := g.frozen
		g.frozen = false
		if was {
			return 1
		}
		return 0
	case "fsfreeze-status":
		if g.frozen {
			return "frozen"
		}
		return "thawed"
	case "fstrim":
		return map[string]any{"paths": []any{map[string]any{"path": "/", "trimmed": 141733888, "minimum": 0}}}
	case "shutdown":
		r.guestPowersOff(m)
		return map[string]any{}
	case "get-host-name":
		return map[string]any{"host-name": g.hostname()}
	case "get-timezone":
		return map[string]any{"zone": "UTC", "offset": 0}
	case "get-time":
		return time.Now().UnixNano()
	case "get-users":
		return []any{}
	case "get-osinfo":
		return guestOS()
	case "get-fsinfo":
		return r.guestFileSystems(m)
	case "get-vcpus":
		return guestProcessors(m)
	case "get-memory-blocks":
		return guestMemory(m)
	case "get-memory-block-info":
		return map[string]any{"size": guestMemoryBlock}
	case "info":
		return guestAbout()
	case "network-get-interfaces":
		return r.guestInterfaces(m)
	}
	return map[string]any{} // ping
}

// hostname is what the guest calls itself.
func (g *guest) hostname() string {
	if g.told.hostname == "" {
		return "localhost"
	}
	return g.told.hostname
}

func agentExec(r *request) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	command := apischema.Split(r.p["command"])
	if len(command) == 0 {
		return nil, wrongParam("command", "property is missing and it is not optional")
	}
	g := m.inGuest
	exit, found := m.control.run(g.hostname(), command, r.p["input-data"])
	if !found {
		return nil, proxied(596, "Broken pipe")
	}
	g.pid += 3
	g.exited[g.pid] = exit
	return map[string]any{"pid": g.pid}, nil
}

// agentExecStatus tells how a process ended, once: after that its number says nothing to the agent.
func agentExecStatus(r *request) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	pid := r.p.num("pid", 0)
	exit, ok := m.inGuest.exited[pid]
	if !ok {
		return nil, die("Agent error: Invalid parameter 'pid'")
	}
	delete(m.inGuest.exited, pid)
	answer := map[string]any{"exited": 1, "exitcode": exit.code}
	if exit.out != "" {
		answer["out-data"], answer["out-truncated"] = exit.out, 0
	}
	if exit.errors != "" {
		answer["err-data"], answer["err-truncated"] = exit.errors, 0
	}
	return answer, nil
}

func agentFileRead(r *request) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	text, ok := m.control.file(m.inGuest.hostname(), r.p["file"])
	if !ok {
		return nil, die("Agent error: failed to open file '%s' (mode: 'r'): No such file or directory", r.p["file"])
	}
	text = text[min(len(text), r.p.num("offset", 0)):]
	answer := map[string]any{}
	if limit := r.p.num("count", 16<<20); len(text) > limit {
		text = text[:limit]
		answer["truncated"] = 1
	}
	answer["bytes-read"], answer["content"] = len(text), text
	if r.p["decode"] == "0" {
		answer["content"] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return answer, nil
}

func agentFileWrite(r *request) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	text := r.p["content"]
	if r.p["encode"] == "0" {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, die("Agent error: Invalid base64 sequence")
		}
		text = string(raw)
	}
	if m.control.files == nil {
		m.control.files = map[string]string{}
	}
	m.control.files[r.p["file"]] = text
	return nil, nil
}

func agentSetPassword(r *request) (any, error) {
	m, err := r.agent()
	if err != nil {
		return nil, err
	}
	if user := r.p["username"]; user != "root" && user != m.config["ciuser"] {
		return nil, die("Agent error: child process has failed to set user password")
	}
	return map[string]any{"result": map[string]any{}}, nil
}
