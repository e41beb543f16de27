package proxmox

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// estate finds VMs. Where each is and the pool that it is in, the cluster tells in one call, from what every node knows at once. What
// it tells of a VM beyond that is up to ten seconds old, so that names and power are asked from the nodes.
type estate struct {
	conn   *pve.Client
	flight singleflight.Group
	base   context.Context // ends with the connection
	stop   context.CancelFunc
	work   sync.WaitGroup // what nobody may wait for any more

	mu     sync.Mutex
	writes int                // counts what was changed: a listing that began before a write does not serve who asks after it
	nodes  map[int64]string   // where VMs were seen last
	age    time.Duration      // that a listing serves for, if nothing is written here
	kept   map[string]listing // by name
}

// listing is one that was made not long ago.
type listing struct {
	key   string // its name with the writes before it
	began time.Time
	value any
}

func newEstate(ctx context.Context, conn *pve.Client, age time.Duration) *estate {
	e := &estate{conn: conn, age: age, kept: map[string]listing{}}
	e.base, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	return e
}

func (e *estate) close() {
	e.stop()
	e.work.Wait()
}

// listed is one VM or container as the cluster lists it.
type listed struct {
	VMID pve.Int  `json:"vmid"`
	Node pve.Text `json:"node"`
	Type pve.Text `json:"type"` // "qemu" or "lxc"
	Pool pve.Text `json:"pool"`
	Name pve.Text `json:"name"` // perhaps an old one
}

// resident is one VM as its node lists it.
type resident struct {
	VMID     pve.Int  `json:"vmid"`
	Name     pve.Text `json:"name"`
	Status   pve.Text `json:"status"`    // "running" or "stopped"
	QMP      pve.Text `json:"qmpstatus"` // QEMU's own word: "running", "paused", "prelaunch", ...
	Template pve.Bool `json:"template"`
	Tags     pve.Text `json:"tags"`
	Lock     pve.Text `json:"lock"` // "suspended" where the memory is on disk
	node     string
}

// changed says that something was written.
func (e *estate) changed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writes++
}

// shared runs f once for all who ask the same at the same time, or not long after, without a write between.
func shared[T any](ctx context.Context, e *estate, name string, f func(context.Context) (T, error)) (T, error) {
	e.mu.Lock()
	key := name + strconv.Itoa(e.writes)
	last := e.kept[name]
	e.mu.Unlock()
	if value, ok := last.value.(T); ok && last.key == key && time.Since(last.began) < e.age {
		return value, nil
	}
	var none T
	// Who asked first may give up before the others do.
	e.work.Add(1)
	defer e.work.Done()
	answer := e.flight.DoChan(key, func() (any, error) { //nolint:contextcheck // it outlives who asked first
		e.work.Add(1)
		defer e.work.Done()
		longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(e.base, cancel)() //nolint:contextcheck // it ends with the connection
		began := time.Now()
		value, err := f(longer)
		if err == nil {
			e.mu.Lock()
			e.kept[name] = listing{key, began, value}
			e.mu.Unlock()
		}
		return value, err
	})
	select {
	case got := <-answer:
		if got.Err != nil {
			return none, got.Err
		}
		return got.Val.(T), nil //nolint:forcetypeassert // f makes it
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// forget makes the next who asks where a VM is look anew.
func (e *estate) forget(vmid int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.nodes, vmid)
	e.writes++
}

// all lists the VMs and containers that the account sees, by VMID. Nobody may change the result.
func (e *estate) all(ctx context.Context) (map[int64]listed, error) {
	return shared(ctx, e, "all", func(ctx context.Context) (map[int64]listed, error) {
		var rows []listed
		if err := e.conn.Get(ctx, "/cluster/resources", url.Values{"type": {"vm"}}, &rows); err != nil {
			return nil, err
		}
		all := make(map[int64]listed, len(rows))
		nodes := make(map[int64]string, len(rows))
		for _, r := range rows {
			all[int64(r.VMID)] = r
			nodes[int64(r.VMID)] = string(r.Node)
		}
		e.mu.Lock()
		e.nodes = nodes
		e.mu.Unlock()
		return all, nil
	})
}

// at lists the VMs of one node with their power, at once.
func (e *estate) at(ctx context.Context, node string) ([]resident, error) {
	return shared(ctx, e, "at "+node+" ", func(ctx context.Context) ([]resident, error) {
		var rows []resident
		err := e.conn.Get(ctx, pve.Path("nodes", node, "qemu"), url.Values{"full": {"1"}}, &rows)
		for i := range rows {
			rows[i].node = node
		}
		return rows, err
	})
}

// residents lists the VMs of several nodes. A node that cannot be asked has its error in failed; the rest is there.
func (e *estate) residents(ctx context.Context, nodes []string) (all map[int64]resident, failed map[string]error) {
	all, failed = map[int64]resident{}, map[string]error{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, node := range nodes {
		g.Go(func() error {
			rows, err := e.at(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[node] = err
			}
			for _, r := range rows {
				all[int64(r.VMID)] = r
			}
			return nil
		})
	}
	_ = g.Wait()
	return all, failed
}

// parallel is how many requests one call sends side by side.
const parallel = 16

// nodesOf are the nodes that have VMs of all, sorted.
func nodesOf(all map[int64]listed) []string {
	var nodes []string
	for _, r := range all {
		if r.Type == "qemu" && !slices.Contains(nodes, string(r.Node)) {
			nodes = append(nodes, string(r.Node))
		}
	}
	slices.Sort(nodes)
	return nodes
}

// find says which node a VM is on, from memory where it was seen before. A VM that does not exist is NotFound; one that the account
// may not see is Auth.
func (e *estate) find(ctx context.Context, id backends.ID) (node string, vmid int64, err error) {
	vmid, err = vmidOf(id)
	if err != nil {
		return "", 0, err
	}
	e.mu.Lock()
	node, known := e.nodes[vmid]
	e.mu.Unlock()
	if known {
		return node, vmid, nil
	}
	node, err = e.search(ctx, vmid)
	return node, vmid, err
}

// search asks the cluster where a VM is now.
func (e *estate) search(ctx context.Context, vmid int64) (string, error) {
	all, err := e.all(ctx)
	if err != nil {
		return "", err
	}
	if r, ok := all[vmid]; ok && r.Type == "qemu" {
		return string(r.Node), nil
	}
	return e.absent(ctx, vmid)
}

// absent looks for a VM that is not listed, and says why: what an account may not see looks as if it were not there, but is not gone. The API
// refuses an account that may not look before it says that there is nothing to see. And a node that is cut off from the others knows only what
// was before: that a VM is gone is believed of a cluster that has its quorum.
func (e *estate) absent(ctx context.Context, vmid int64) (node string, err error) {
	var nodes []nodeRow
	if err := e.conn.Get(ctx, "/nodes", nil, &nodes); err != nil {
		return "", err
	}
	gone, online := false, 0
	for _, n := range nodes {
		if !n.online() {
			continue
		}
		online++
		switch err := e.conn.Get(ctx, pve.Path("nodes", string(n.Node), "qemu", vmid, "config"), nil, nil); {
		case err == nil:
			return string(n.Node), nil
		case fault.Elsewhere(err):
			gone = true
		case backends.CodeOf(err) != backends.Transient:
			return "", err
		}
	}
	if !gone {
		return "", backends.Errorf(backends.Transient, "", "", "no node of the cluster answers")
	}
	if 2*online <= len(nodes) && !e.quorate(ctx) {
		return "", backends.Errorf(backends.Transient, "", "", "%d of the cluster's %d nodes are there, which may not know whether there is a VM with the id %d", online, len(nodes), vmid).
			Advise("Check which nodes are up (pvecm status), and that endpoint names one that the others know.")
	}
	return "", missing(vmid)
}

// quorate reports whether the node that answers says that the cluster has its quorum.
func (e *estate) quorate(ctx context.Context) bool {
	var rows []struct {
		Type    pve.Text `json:"type"`
		Quorate pve.Bool `json:"quorate"`
	}
	if e.conn.Get(ctx, "/cluster/status", nil, &rows) != nil {
		return false
	}
	for _, r := range rows {
		if r.Type == "cluster" {
			return bool(r.Quorate)
		}
	}
	return false
}

func missing(vmid int64) error {
	return backends.Errorf(backends.NotFound, "", "", "the cluster has no VM with the id %d", vmid)
}

// vmidOf is an id as a number. What is none cannot exist.
func vmidOf(id backends.ID) (int64, error) {
	vmid, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil || vmid < 1 {
		return 0, backends.Errorf(backends.NotFound, "", "", "%q is no id of a VM: Proxmox VE's are numbers", string(id))
	}
	return vmid, nil
}

func idOf(vmid int64) backends.ID { return backends.ID(strconv.FormatInt(vmid, 10)) }

// moves is how often a VM is looked for that is not where it was.
const moves = 4

// on runs f with the node that a VM is on; where the VM has moved meanwhile, once more with its new one. Where it was seen before is
// forgotten then, for a list of not long ago would send f to the same node. NotFound is what the cluster says when it is
// asked anew; what one node does not have is not gone.
func (b *Backend) on(ctx context.Context, id backends.ID, f func(node string, vmid int64) error) error {
	node, vmid, err := b.estate.find(ctx, id)
	if err != nil {
		return err
	}
	for try, pause := 1, firstLook; ; try, pause = try+1, min(3*pause, lastLook) {
		err = f(node, vmid)
		elsewhere := fault.Elsewhere(err)
		if !elsewhere && (backends.CodeOf(err) != backends.Transient || try > 1) {
			return err
		}
		b.estate.forget(vmid)
		now, findErr := b.estate.search(ctx, vmid)
		switch {
		case findErr != nil && elsewhere:
			return findErr
		case findErr != nil || !elsewhere && now == node:
			return err
		case try == moves:
			return backends.Errorf(backends.Transient, "", "", "the VM is at the node %q, which does not have it: it may be on its way to another", node)
		case now == node: // the nodes do not agree yet
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
		}
		node = now
	}
}
