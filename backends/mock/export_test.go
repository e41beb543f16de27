package mock

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// SlowDown changes how long each call takes.
func (b *Backend) SlowDown(latency time.Duration) { b.options.Latency = latency }

// LockFile holds a state file as another process does that writes it.
func LockFile(ctx context.Context, stateFile string) (unlock func(), err error) {
	return lockFile(ctx, systemClock{}, stateFile+".lock")
}

// Waiting counts the changes that wait for the state file.
func (b *Backend) Waiting() int {
	b.store.waiting.mu.Lock()
	defer b.store.waiting.mu.Unlock()
	return len(b.store.waiting.queue)
}

// Pretend changes what the Backend claims.
func (b *Backend) Pretend(edit func(*backends.Catalogue)) { edit(&b.catalogue) }

// Bases counts what linked clones share.
func (b *Backend) Bases() int {
	n := 0
	_ = b.store.view(func(w *world) error { n = len(w.Bases); return nil })
	return n
}

// Audit returns what is wrong with a world: all that must hold whatever was done.
func (b *Backend) Audit() []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	_ = b.store.view(func(w *world) error {
		needed := map[string]bool{}
		check := func(what string, o origin) {
			for o.Base != "" {
				base := w.Bases[o.Base]
				if base == nil {
					say("%s needs the base %q, which is not there", what, o.Base)
					break
				}
				needed[base.ID] = true
				if w.Machines[base.Source] == nil {
					say("%s shares what belonged to VM %s, which is not there", what, base.Source)
				}
				o = base.origin
			}
			if o.Image != "" && w.Images[o.Image] == nil {
				say("%s needs the image %q, which is not there", what, o.Image)
			}
		}
		names, attached, owned := map[string]backends.ID{}, map[string][]backends.ID{}, map[string]string{}
		for id, m := range w.Machines {
			if other, taken := names[m.Spec.Name]; taken {
				say("VMs %s and %s have the name %q", id, other, m.Spec.Name)
			}
			names[m.Spec.Name] = id
			if m.Template && m.Power != backends.Stopped {
				say("the template %q is %s", m.Spec.Name, m.Power)
			}
			if !slices.Equal(sortedKeys(m.Disks), sortedKeys(m.Spec.Disks)) {
				say("VM %q has the disks %v and is configured with %v", m.Spec.Name, sortedKeys(m.Disks), sortedKeys(m.Spec.Disks))
			}
			for key, d := range m.Disks {
				what := fmt.Sprintf("disk %q of VM %q", key, m.Spec.Name)
				check(what, d.origin)
				if d.Owned {
					if other := owned[d.Volume]; other != "" || w.Volumes[d.Volume] != nil {
						say("%s is %q, which is also %s", what, d.Volume, other)
					}
					owned[d.Volume] = what
				} else {
					attached[d.Volume] = append(attached[d.Volume], id)
				}
			}
			seen := map[string]bool{"": true}
			for _, s := range m.Snapshots {
				if !seen[s.Parent] || seen[s.ID] {
					say("snapshot %q of VM %q comes before its parent, or twice", s.Name, m.Spec.Name)
				}
				seen[s.ID] = true
				for key, d := range s.Disks {
					check(fmt.Sprintf("disk %q of snapshot %q of VM %q", key, s.Name, m.Spec.Name), d.origin)
				}
			}
			if !seen[m.Current] {
				say("VM %q goes on from a snapshot that is not there", m.Spec.Name)
			}
		}
		for id, v := range w.Volumes {
			if slices.Sort(attached[id]); !slices.Equal(v.users(), attached[id]) {
				say("disk %q says that %q have it, and %q have it", id, v.users(), attached[id])
			}
			check("disk "+id, v.origin)
		}
		for id := range w.Bases {
			if !needed[id] {
				say("nothing needs the base %q", id)
			}
		}
		used := w.used("")
		for _, st := range storages {
			if used[st.Name] > st.CapacityBytes {
				say("storage %q holds %d of %d bytes", st.Name, used[st.Name], st.CapacityBytes)
			}
		}
		return nil
	})
	slices.Sort(wrong)
	return wrong
}
