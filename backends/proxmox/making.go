package proxmox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// trace is what a creation that failed can have left. While Proxmox VE makes a VM, its configuration is a lock and nothing else, so that only
// who began can tell whose it is: a VM with the VMID that is being made may be somebody else's who took it since, or before.
type trace int

const (
	nothing trace = iota // it never began
	itself               // it ended, and what it made is taken away or carries its sign
	perhaps              // it began, or may have, and how it ended is not known: what is being made may be it
)

// traceOf judges how a request to make a VM ended.
func traceOf(o pve.Outcome, err error) trace {
	code := backends.CodeOf(err)
	switch {
	case o.UPID != "" && (o.Exit == "" || o.Exit == killed || o.OK()):
		return perhaps
	case o.UPID != "":
		return itself
	case lost(err), code == backends.Canceled, code == backends.Timeout:
		return perhaps
	}
	return nothing
}

// killed is how a task ends that could not clean up after itself.
const killed = "unexpected status"

// sign tells whether a VM is what a creation made.
type sign func(*machine) bool

// madeWith is the sign of a creation that gave its VM the UUID.
func madeWith(guid string) sign {
	return func(m *machine) bool { return strings.Contains(m.Config["smbios1"], guid) }
}

// markedWith is the sign of a clone, which gets its mark at once.
func markedWith(token, name string) sign {
	return func(m *machine) bool {
		return m.Mark != nil && m.Mark.Token == token && (token != "" || m.Mark.Partial && m.Config["name"] == name)
	}
}

// beingMade reports whether a VM is the work of a task that has not ended.
func (m *machine) beingMade() bool {
	making := []string{"create", "clone"}
	return slices.Contains(making, m.Config["lock"]) || slices.Contains(making, string(m.Lock))
}

func stillMaking(vmid int64) error {
	return backends.Errorf(backends.Locked, "", "", "the VM with the id %d is still being made, perhaps by an earlier try of the same creation", vmid).
		Advise("Wait until it is made. If no task makes it any more, remove its lock on its node: qm unlock %d", vmid)
}

// whatIsLeft returns the id of the VM that a creation that failed has left, "" for none. Where nobody answers it counts as left, so that it
// is not forgotten; and so it is remembered for a next try with the token.
func (b *Backend) whatIsLeft(ctx context.Context, vmid int64, token string, left trace, mine sign) backends.ID {
	if left == nothing {
		return ""
	}
	if left == perhaps {
		b.making.unsure(token, vmid)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	b.estate.changed()
	m, err := b.machine(ctx, idOf(vmid))
	switch {
	case err == nil && (mine(m) || left == perhaps && m.beingMade()):
		return idOf(vmid)
	case left == perhaps && err != nil && (backends.CodeOf(err) == backends.Transient || ctx.Err() != nil):
		return idOf(vmid)
	}
	return ""
}

// appears waits for the VM of a creation whose answer was lost, until it is there and not being made any more.
func (b *Backend) appears(ctx context.Context, id backends.ID, mine sign) bool {
	end := time.Now().Add(grace)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		b.estate.changed()
		m, err := b.machine(ctx, id)
		switch {
		case err == nil && m.beingMade():
			end = time.Now().Add(grace)
		case err == nil:
			return mine(m)
		case backends.CodeOf(err) != backends.NotFound && backends.CodeOf(err) != backends.Transient:
			return false
		}
		if time.Now().After(end) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// settle finds out what became of an earlier try with the token of which that is not known. Its VM is the result, or is removed where it is
// half-made. Where there is none its VMID is the first that is tried, see allocate: should the earlier try still be at work, they meet there.
func (b *Backend) settle(ctx context.Context, token string) (backends.ID, error) {
	vmid := b.making.doubt(token)
	if vmid == 0 {
		return "", nil
	}
	b.estate.changed()
	m, err := b.machine(ctx, idOf(vmid))
	spoilt := errors.Is(err, errMark)
	if backends.CodeOf(err) == backends.NotFound {
		return "", nil
	}
	if err != nil && !spoilt {
		return "", err
	}
	switch {
	case m.beingMade(): // whose it is cannot be told before it is made: the earlier try has told its id where it saw it
		return "", stillMaking(vmid)
	case spoilt || m.Mark == nil || m.Mark.Token != token: // another's
		b.making.sure(token)
		return "", nil
	case m.Mark.Partial:
		if err := b.DeleteVM(ctx, m.id(), backends.DeleteOptions{}); err != nil && backends.CodeOf(err) != backends.NotFound {
			return m.id(), err
		}
		b.making.sure(token)
		return "", nil
	}
	b.making.sure(token)
	return m.id(), nil
}

// unsure remembers the VMID of a creation of which it is not known what became.
func (r *reservations) unsure(token string, vmid int64) {
	if token == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubts == nil {
		r.doubts = map[string]int64{}
	}
	r.doubts[token] = vmid
}

// sure forgets it.
func (r *reservations) sure(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.doubts, token)
}

// doubt is the VMID of an earlier creation with the token, 0 where nothing is in doubt.
func (r *reservations) doubt(token string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubts[token]
}

// met is what it means that the VMID of an earlier try, of which it is not known what became, is taken: that it may have come there since.
func (b *Backend) met(token string, vmid int64, err error) error {
	if errors.Is(err, fault.ErrTaken) && vmid == b.making.doubt(token) {
		return stillMaking(vmid)
	}
	return err
}
