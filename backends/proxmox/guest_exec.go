package proxmox

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// largestInput is what Proxmox VE takes as the input of a command in a guest, in bytes.
const largestInput = 64 << 10

// GuestExec runs a command in the guest and waits for it. Variables are set by /usr/bin/env: Proxmox VE does not hand them to the
// agent. When ctx ends the command goes on: the agent cannot stop it.
func (b *Backend) GuestExec(ctx context.Context, id backends.ID, cmd backends.GuestCommand) (backends.GuestResult, error) {
	const op = "run a command in the guest"
	a, object, err := b.guestAgentOf(ctx, id)
	if err != nil {
		return backends.GuestResult{}, fault.Wrap(err, op, object)
	}
	result, err := a.exec(ctx, cmd)
	return result, fault.Wrap(err, op, object)
}

func (a guestAgent) exec(ctx context.Context, cmd backends.GuestCommand) (backends.GuestResult, error) {
	command := append([]string{cmd.Path}, cmd.Args...)
	if len(cmd.Env) > 0 {
		command = slices.Concat([]string{"/usr/bin/env"}, cmd.Env, command)
	}
	form := map[string]any{"command": command}
	if len(cmd.Stdin) > 0 {
		form["input-data"] = string(cmd.Stdin)
	}
	if len(cmd.Stdin) > largestInput || !utf8.Valid(cmd.Stdin) {
		return backends.GuestResult{}, backends.Errorf(backends.Invalid, "", "", "Proxmox VE hands a command in a guest at most %d KiB of text", largestInput>>10).
			Advise("Let the command fetch what is larger, or binary, from elsewhere.")
	}
	var process struct {
		PID pve.Int `json:"pid"`
	}
	if err := a.b.conn.Post(ctx, a.path("exec"), form, &process); err != nil {
		return backends.GuestResult{}, err
	}
	var status struct {
		Exited   pve.Bool `json:"exited"`
		ExitCode pve.Int  `json:"exitcode"`
		Signal   pve.Int  `json:"signal"`
		Out      pve.Text `json:"out-data"`
		Err      pve.Text `json:"err-data"`
	}
	query := url.Values{"pid": {strconv.FormatInt(int64(process.PID), 10)}}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		err := a.b.on(ctx, idOf(a.vmid), func(node string, _ int64) error { // the command goes on where the VM moves
			a.node = node
			return a.b.conn.Get(ctx, a.path("exec-status"), query, &status)
		})
		if err != nil {
			return backends.GuestResult{}, err
		}
		if status.Exited {
			break
		}
		select {
		case <-ctx.Done():
			return backends.GuestResult{}, ctx.Err()
		case <-time.After(pause):
		}
	}
	if status.Signal != 0 {
		status.ExitCode = 128 + status.Signal // as shells have it
	}
	return backends.GuestResult{ExitCode: int(status.ExitCode), Stdout: output(string(status.Out)), Stderr: output(string(status.Err))}, nil
}

// output is what a command wrote. Proxmox VE takes its bytes for Latin-1 when it makes JSON of them; where undoing that
// gives a text, it was one.
func output(text string) []byte {
	raw := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return []byte(text)
		}
		raw = append(raw, byte(r))
	}
	if !utf8.Valid(raw) {
		return []byte(text)
	}
	return raw
}
