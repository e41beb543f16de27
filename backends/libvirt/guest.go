package libvirt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	// agentGlance bounds the question to an agent during a refresh: what hangs
	// in one guest must not hold up a plan.
	agentGlance = 2 * time.Second
	// agentPatience is how long libvirtd waits for one answer of an agent, in seconds.
	agentPatience = 5
)

// askGuest asks a running VM's agent once; nil where none answers in time.
func (b *Backend) askGuest(ctx context.Context, dom rpc.Domain) *backends.Guest {
	ctx, cancel := context.WithTimeout(ctx, agentGlance)
	defer cancel()
	g, err := b.readGuest(ctx, dom)
	if err != nil {
		return nil
	}
	return &g
}

// guestLimit bounds all the questions of one GuestInfo: libvirt itself waits for ever for the answer of
// an agent that hangs.
const guestLimit = 30 * time.Second

var errGuestHangs = fmt.Errorf("the guest agent did not answer within %s", guestLimit)

// GuestInfo asks the agent of a running VM for all that it tells.
func (b *Backend) GuestInfo(ctx context.Context, id backends.ID) (backends.Guest, error) {
	const op = "ask the guest agent"
	dom, object, err := b.running(ctx, id)
	if err != nil {
		return backends.Guest{}, backends.Wrap(err, op, object)
	}
	asking, cancel := context.WithTimeoutCause(ctx, guestLimit, errGuestHangs)
	defer cancel()
	g, err := b.readGuest(asking, dom)
	if err == nil {
		err = b.readGuestDetails(asking, dom, &g)
	}
	if err != nil && errors.Is(context.Cause(asking), errGuestHangs) {
		err = backends.Errorf(backends.Timeout, "", "", "%w", errGuestHangs).Advise("Look inside the guest; its agent may wait for a file system that hangs.")
	}
	return g, backends.Wrap(agentError(err), op, object)
}

// readGuestDetails asks for what costs an agent more: all at once, and one by one where an agent does
// not know all of it. What it does not know is left out.
func (b *Backend) readGuestDetails(ctx context.Context, dom rpc.Domain, g *backends.Guest) error {
	const details = rpc.DomainGuestInfoUsers | rpc.DomainGuestInfoTimezone | rpc.DomainGuestInfoFilesystem
	if err := b.addGuestInfo(ctx, dom, details, g); err != nil {
		for _, kind := range []rpc.DomainGuestInfoTypes{rpc.DomainGuestInfoUsers, rpc.DomainGuestInfoTimezone, rpc.DomainGuestInfoFilesystem} {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			_ = b.addGuestInfo(ctx, dom, kind, g)
		}
	}
	var nanoseconds int64
	if err := b.agent(ctx, dom, "guest-get-time", nil, &nanoseconds); err == nil && nanoseconds > 0 {
		g.Time = time.Unix(0, nanoseconds).UTC()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// addGuestDetails takes over what an answer says of users, time zone and file systems.
func addGuestDetails(kinds rpc.DomainGuestInfoTypes, values map[string]any, g *backends.Guest) {
	text := func(key string) string { s, _ := values[key].(string); return s }
	if kinds&rpc.DomainGuestInfoUsers != 0 {
		g.Users = []backends.GuestUser{}
		for i := range count(values["user.count"]) {
			p := "user." + strconv.Itoa(i) + "."
			u := backends.GuestUser{Name: text(p + "name")}
			if ms, ok := number(values[p+"login-time"]); ok && ms > 0 {
				u.Since = time.UnixMilli(int64(min(ms, 1<<53))).UTC()
			}
			g.Users = append(g.Users, u)
		}
	}
	if kinds&rpc.DomainGuestInfoTimezone != 0 {
		g.TimeZone = text("timezone.name")
	}
	if kinds&rpc.DomainGuestInfoFilesystem == 0 {
		return
	}
	g.FileSystems = []backends.GuestFileSystem{}
	for i := range count(values["fs.count"]) {
		p := "fs." + strconv.Itoa(i) + "."
		bytes := func(name string) int64 {
			n, ok := number(values[p+name])
			if !ok {
				return -1
			}
			return int64(min(n, 1<<62))
		}
		g.FileSystems = append(g.FileSystems, backends.GuestFileSystem{
			MountPoint: text(p + "mountpoint"), Type: text(p + "fstype"), Device: text(p + "name"),
			TotalBytes: bytes("total-bytes"), UsedBytes: bytes("used-bytes"),
		})
	}
}

// running finds a VM that must run, and names it for errors.
func (b *Backend) running(ctx context.Context, id backends.ID) (dom rpc.Domain, object string, err error) {
	object = backends.VMObject(string(id))
	if dom, err = b.lookup(ctx, id); err != nil {
		return dom, object, err
	}
	object = backends.VMObject(dom.Name)
	state, err := b.state(ctx, dom)
	if err == nil && powerOf(state, false) != backends.Running {
		err = backends.Errorf(backends.Precondition, "", "", "the VM is %s", statusWord(state)).Advise("Start the VM first.")
	}
	return dom, object, err
}

// agentError gives errors about an agent that is not there the code for that.
func agentError(err error) error {
	if err == nil || !strings.Contains(err.Error(), "QEMU guest agent is not connected") && !answered(err, rpc.ErrAgentUnresponsive) {
		return err
	}
	return &backends.Error{
		Code: backends.Precondition, Err: err,
		Remedy: "Install and start the QEMU guest agent in the VM, or wait until it has booted.",
	}
}

func (b *Backend) readGuest(ctx context.Context, dom rpc.Domain) (backends.Guest, error) {
	const most = rpc.DomainGuestInfoOs | rpc.DomainGuestInfoHostname | rpc.DomainGuestInfoInterfaces
	g := backends.Guest{AgentRunning: true}
	err := b.addGuestInfo(ctx, dom, most, &g)
	if err != nil {
		if g, err = b.readGuestApart(ctx, dom); err != nil {
			return g, err
		}
	}
	var about struct{ Version string }
	if err := b.agent(ctx, dom, "guest-info", nil, &about); err != nil {
		if ctx.Err() != nil {
			return g, err
		}
	}
	g.AgentVersion = about.Version
	return g, nil
}

// readGuestApart asks for one thing at a time, for libvirts that do not know all of
// them and agents that refuse some.
func (b *Backend) readGuestApart(ctx context.Context, dom rpc.Domain) (backends.Guest, error) {
	g := backends.Guest{AgentRunning: true}
	ifaces, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.DomainInterface, error) {
		return l.DomainInterfaceAddresses(dom, uint32(rpc.DomainInterfaceAddressesSrcAgent), 0)
	})
	if err != nil {
		return g, err
	}
	g.Interfaces = interfacesOf(ifaces)
	for _, kind := range []rpc.DomainGuestInfoTypes{rpc.DomainGuestInfoHostname, rpc.DomainGuestInfoOs} {
		if err := b.addGuestInfo(ctx, dom, kind, &g); err != nil && ctx.Err() != nil {
			return g, err
		}
	}
	return g, nil
}

func (b *Backend) addGuestInfo(ctx context.Context, dom rpc.Domain, kinds rpc.DomainGuestInfoTypes, g *backends.Guest) error {
	params, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.TypedParam, error) {
		return l.DomainGetGuestInfo(dom, uint32(kinds), 0)
	})
	if err != nil {
		return err
	}
	values := map[string]any{}
	for _, p := range params {
		values[p.Field] = p.Value.I
	}
	text := func(key string) string { s, _ := values[key].(string); return s }
	if name := text("hostname"); name != "" {
		g.Hostname = name
	}
	if kinds&rpc.DomainGuestInfoOs != 0 {
		g.OS, g.Kernel = text("os.pretty-name"), text("os.kernel-release")
		if g.OS == "" {
			g.OS = text("os.name")
		}
	}
	addGuestDetails(kinds, values, g)
	if kinds&rpc.DomainGuestInfoInterfaces == 0 {
		return nil
	}
	g.Interfaces = nil
	for i := range count(values["if.count"]) {
		p := "if." + strconv.Itoa(i) + "."
		iface := backends.GuestInterface{Name: text(p + "name"), MAC: strings.ToLower(text(p + "hwaddr")), Addresses: []string{}}
		for j := range count(values[p+"addr.count"]) {
			iface.Addresses = append(iface.Addresses, text(p+"addr."+strconv.Itoa(j)+".addr"))
		}
		g.Interfaces = append(g.Interfaces, iface)
	}
	return nil
}

// count reads how many of something a guest says it has, within reason.
func count(v any) int {
	n, _ := number(v)
	return int(min(n, 1024))
}

// agent runs one command of the guest agent's and decodes what it returns.
func (b *Backend) agent(ctx context.Context, dom rpc.Domain, command string, args, result any) error {
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, args})
	if err != nil {
		return err
	}
	ask := func(l *rpc.Libvirt) (rpc.OptString, error) {
		return l.QEMUDomainAgentCommand(dom, string(request), agentPatience, 0)
	}
	answer, err := do(ctx, b, ask)
	if err != nil {
		return err
	}
	if len(answer) == 0 {
		return fmt.Errorf("the agent answered %s with nothing", command)
	}
	reply := struct {
		Return any `json:"return"`
	}{result}
	if err := json.Unmarshal([]byte(answer[0]), &reply); err != nil {
		return fmt.Errorf("the agent's answer to %s cannot be read: %w", command, err)
	}
	return nil
}

// GuestExec runs a command in the guest and waits for it. When ctx ends the command goes on:
// the agent cannot stop it.
func (b *Backend) GuestExec(ctx context.Context, id backends.ID, cmd backends.GuestCommand) (backends.GuestResult, error) {
	const op = "run a command in the guest"
	dom, object, err := b.running(ctx, id)
	if err != nil {
		return backends.GuestResult{}, backends.Wrap(err, op, object)
	}
	result, err := b.exec(ctx, dom, cmd)
	return result, backends.Wrap(agentError(err), op, object)
}

func (b *Backend) exec(ctx context.Context, dom rpc.Domain, cmd backends.GuestCommand) (backends.GuestResult, error) {
	start := struct {
		Path    string   `json:"path"`
		Args    []string `json:"arg,omitempty"`
		Env     []string `json:"env,omitempty"`
		Input   string   `json:"input-data,omitempty"`
		Capture bool     `json:"capture-output"`
	}{cmd.Path, cmd.Args, cmd.Env, base64.StdEncoding.EncodeToString(cmd.Stdin), true}
	var process struct {
		PID int64 `json:"pid"`
	}
	if err := b.agent(ctx, dom, "guest-exec", start, &process); err != nil {
		if answered(err, rpc.ErrAgentCommandFailed) || strings.Contains(err.Error(), "Failed to execute child process") {
			return backends.GuestResult{}, backends.Errorf(backends.Invalid, "", "", "the guest cannot run %q: %w", cmd.Path, err)
		}
		return backends.GuestResult{}, err
	}
	var status struct {
		Exited   bool   `json:"exited"`
		ExitCode int    `json:"exitcode"`
		Signal   int    `json:"signal"`
		Out      []byte `json:"out-data"` // base64, as encoding/json has it
		Err      []byte `json:"err-data"`
	}
	err := poll(ctx, func() (bool, error) {
		err := b.agent(ctx, dom, "guest-exec-status", process, &status)
		return status.Exited, err
	})
	if err != nil {
		return backends.GuestResult{}, err
	}
	if status.Signal != 0 {
		status.ExitCode = 128 + status.Signal // as shells have it
	}
	return backends.GuestResult{ExitCode: status.ExitCode, Stdout: status.Out, Stderr: status.Err}, nil
}
