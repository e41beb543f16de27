package proxmox

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// taskPage is how many tasks of each node are read where nothing limits them.
const taskPage = 100

// taskRow is one task as a node lists it.
type taskRow struct {
	UPID   pve.Text `json:"upid"`
	Type   pve.Text `json:"type"`
	ID     pve.Text `json:"id"`
	Start  pve.Int  `json:"starttime"` // seconds
	End    pve.Int  `json:"endtime"`   // 0: it runs
	Status pve.Text `json:"status"`    // how it ended; "" or "RUNNING" where it has not
}

// Tasks returns what the nodes run and ran of late. An account sees its own tasks, and others' with Sys.Audit. A node that does not
// answer is left out.
func (b *Backend) Tasks(ctx context.Context, filter backends.TaskFilter) ([]backends.Task, error) {
	tasks, err := b.tasks(ctx, filter)
	return tasks, fault.Wrap(err, "list tasks", "")
}

func (b *Backend) tasks(ctx context.Context, filter backends.TaskFilter) ([]backends.Task, error) {
	limit := taskPage
	if filter.Limit > 0 {
		limit = filter.Limit
	}
	query := url.Values{"source": {"all"}, "limit": {strconv.Itoa(limit)}}
	if filter.VM != "" {
		// What is no id that a VM can have is 0: nothing was ever done to such a VM.
		if vmid, _ := vmidOf(filter.VM); vmid < firstID || vmid > lastID {
			return []backends.Task{}, nil
		}
		query.Set("vmid", string(filter.VM))
	}
	var nodes []string
	if filter.ID != "" {
		node, began, ok := originOfTask(filter.ID)
		if !ok {
			return []backends.Task{}, nil
		}
		// A node finds a task by the second in which it began.
		nodes, query = []string{node}, url.Values{"source": {"all"}, "limit": {"1000"}, "since": {began}, "until": {began}}
	} else {
		rows, err := b.nodeRows(ctx)
		if err != nil {
			return nil, err
		}
		for _, n := range rows {
			if n.online() {
				nodes = append(nodes, string(n.Node))
			}
		}
	}
	rows, err := b.taskRows(ctx, nodes, query)
	if err != nil {
		return nil, err
	}
	tasks := make([]backends.Task, 0, len(rows))
	for _, r := range rows {
		t := r.describe()
		if filter.ID != "" && t.ID != filter.ID || filter.VM != "" && t.VM != filter.VM {
			continue
		}
		tasks = append(tasks, t)
	}
	if filter.Limit > 0 && len(tasks) > filter.Limit {
		tasks = tasks[:filter.Limit]
	}
	return tasks, nil
}

// taskRows asks the nodes, side by side, and sorts what they say: the newest first, without doubles.
func (b *Backend) taskRows(ctx context.Context, nodes []string, query url.Values) ([]taskRow, error) {
	var all []taskRow
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, node := range nodes {
		g.Go(func() error {
			var rows []taskRow
			err := b.conn.Get(ctx, pve.Path("nodes", node, "tasks"), query, &rows)
			if code := backends.CodeOf(err); code == backends.Transient || code == backends.NotFound {
				return nil // the node does not answer, or is gone
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, rows...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y taskRow) int {
		return cmp.Or(cmp.Compare(y.Start, x.Start), strings.Compare(string(y.UPID), string(x.UPID)), cmp.Compare(y.End, x.End))
	})
	// A task that ends while it is listed is in both lists of its node.
	return slices.CompactFunc(all, func(x, y taskRow) bool { return x.UPID == y.UPID }), nil
}

// originOfTask reads node and time from the id of a task: UPID:pve1:0000016E:0003A762:6B029B45:qmcreate:100:root@pam!tf:
func originOfTask(upid string) (node, began string, ok bool) {
	parts := strings.Split(upid, ":")
	if len(parts) < 9 || parts[0] != "UPID" {
		return "", "", false
	}
	seconds, err := strconv.ParseInt(parts[4], 16, 64)
	return parts[1], strconv.FormatInt(seconds, 10), err == nil
}

// describe says what a task is in the seam's words.
func (r taskRow) describe() backends.Task {
	t := backends.Task{ID: string(r.UPID), Op: string(r.Type), Started: time.Unix(int64(r.Start), 0).UTC(), State: "running"}
	// What it is about is a VM where it is a number, and not one of a container's.
	if vmid, err := vmidOf(backends.ID(r.ID)); err == nil && vmid >= firstID && (!strings.HasPrefix(t.Op, "vz") || t.Op == "vzdump") {
		t.VM = backends.ID(r.ID)
	}
	exit := string(r.Status)
	if r.End == 0 && (exit == "" || exit == "RUNNING") {
		return t
	}
	if r.End > 0 {
		t.Finished = time.Unix(int64(r.End), 0).UTC()
	}
	if o := (pve.Outcome{Exit: exit}); o.OK() {
		t.State, t.Percent = "success", 100
		return t
	}
	t.State, t.Error = "error", exit
	if backends.CodeOf(fault.Wrap(&fault.Failure{Exit: exit}, "", "")) == backends.Canceled {
		t.State = "canceled"
	}
	return t
}
