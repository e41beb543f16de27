package proxmox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// makers are the kinds of tasks that make VMs. Who clones one has the id of the other.
var makers = []string{"qmcreate", "qmclone", "qmrestore"}

// nameHolder says of an error for which a VM's lock is to blame which lock that is and which task holds it. A lock of a creation that nobody
// works at any more will not go away, and is not to be waited for.
func (b *Backend) nameHolder(ctx context.Context, id backends.ID, err error) error {
	var e *backends.Error
	if !errors.Is(err, fault.ErrLocked) || !errors.As(err, &e) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	s, lookErr := b.look(ctx, id)
	if lookErr != nil {
		return err
	}
	rows, listErr := b.taskRows(ctx, []string{s.node}, url.Values{"source": {"active"}})
	if listErr != nil {
		return err
	}
	making := s.Lock == "create" || s.Lock == "clone"
	var tasks []string
	for _, r := range rows {
		if string(r.ID) == string(id) || r.Type == "vzdump" && s.Lock == "backup" || making && slices.Contains(makers, string(r.Type)) {
			tasks = append(tasks, string(r.UPID))
		}
	}
	if s.Lock == "" && len(tasks) == 0 {
		return err // it is free by now
	}
	what := "its configuration is in use"
	if s.Lock != "" {
		what = fmt.Sprintf("it has the lock %q", string(s.Lock))
	}
	c := *e
	if len(tasks) > 0 {
		c.Err = fmt.Errorf("%w; %s, by the task %s", e.Err, what, strings.Join(tasks, ", "))
		c.Remedy = "Wait until that task has ended, or stop it in Proxmox VE."
		return &c
	}
	c.Err = fmt.Errorf("%w; %s, and no task at the node %q that the account sees works on it", e.Err, what, s.node)
	c.Remedy = fmt.Sprintf("Where an operation was broken off, remove its lock on the node %s: qm unlock %s", s.node, id)
	if making && c.Code == backends.Locked {
		c.Code = backends.Precondition
	}
	return &c
}
