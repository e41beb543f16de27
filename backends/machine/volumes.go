package machine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// volumeTime is how long a disk that another VM has is waited for: as long as
// a guest gets to shut down, and some more for its VM to be deleted.
const volumeTime = 90 * time.Second

// getVolumes waits until no VM but id has one of the disks that are attached by
// Volume, so that a disk goes from one VM to the next in one apply whichever is
// handled first. Until release is called no other VM of this process gets them:
// of two that want one disk, one waits. What cannot be read is the driver's to judge.
func getVolumes(ctx context.Context, b backends.Backend, id backends.ID, name string, disks map[string]backends.Disk) (release func(), err error) {
	bounded, cancel := context.WithTimeout(ctx, volumeTime)
	defer cancel()
	var taken []func()
	release = func() {
		for _, give := range taken {
			give()
		}
	}
	for _, key := range byVolume(disks) {
		give, err := claimed.take(bounded, claim{b, *disks[key].Volume}, name)
		if err == nil {
			taken = append(taken, give)
		}
		if shared := disks[key].Shared; err == nil && (shared == nil || !*shared) { // of what is shared the driver knows whether it is free
			err = awaitVolume(bounded, b, id, *disks[key].Volume)
		}
		if err != nil {
			release()
			e := backends.Wrap(err, `attach disk "`+key+`"`, backends.VMObject(name)).(*backends.Error) //nolint:errorlint,forcetypeassert // Wrap makes one
			return nil, e.At(backends.Path("disks").Key(key).Attr("volume"))
		}
	}
	return release, nil
}

// byVolume are the keys of the disks that are attached by Volume, in the order of
// their volumes: who takes several takes them in the same order as all others.
func byVolume(disks map[string]backends.Disk) []string {
	var keys []string
	for key, d := range disks {
		if d.Volume != nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(x, y string) int {
		return cmp.Or(strings.Compare(*disks[x].Volume, *disks[y].Volume), strings.Compare(x, y))
	})
	return keys
}

// claim names a disk that a VM is about to get.
type claim struct {
	backend backends.Backend
	volume  string
}

// claims are the disks that VMs of this process are about to get. A driver sees a
// disk as free until the VM has it, which two VMs at once would both.
type claims struct {
	mu  sync.Mutex
	all map[claim]*claimant
}

type claimant struct {
	name string
	done chan struct{}
}

var claimed = claims{all: map[claim]*claimant{}}

// take returns when nobody else has the claim.
func (c *claims) take(ctx context.Context, what claim, name string) (give func(), err error) {
	for {
		c.mu.Lock()
		other := c.all[what]
		if other == nil {
			mine := &claimant{name: name, done: make(chan struct{})}
			c.all[what] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.all, what)
				close(mine.done)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, held(ctx, what.volume, other.name, "which is getting it")
		}
	}
}

func awaitVolume(ctx context.Context, b backends.Backend, id backends.ID, volume string) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	started := time.Now()
	var holder backends.ID
	var name string
	for {
		disk, err := b.GetDisk(ctx, volume)
		if err == nil && disk.AttachedTo != "" && disk.AttachedTo != id && disk.AttachedTo != holder {
			holder, name = disk.AttachedTo, string(disk.AttachedTo)
			if vm, err := Get(ctx, b, holder, backends.AspectRuntime); err == nil {
				name = vm.Config.Name
			}
		}
		switch {
		case ctx.Err() != nil && holder == "":
			return nil // nothing is known against it: whoever attaches it sees
		case ctx.Err() != nil:
			return held(ctx, volume, name, kept(holder, started))
		case err != nil:
			return nil //nolint:nilerr // whoever attaches the disk sees what is wrong with it
		case disk.AttachedTo == "" || disk.AttachedTo == id:
			return nil
		}
		backends.Report(ctx, backends.Progress{Op: "wait for " + backends.VMObject(name) + " to let go of the disk", Object: backends.DiskObject(volume), Percent: -1})
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return held(ctx, volume, name, kept(holder, started))
		}
	}
}

func kept(holder backends.ID, since time.Time) string {
	return fmt.Sprintf("id %s, which did not let go of it within %s", holder, time.Since(since).Round(time.Second))
}

// held says who has a disk for which the time is over.
func held(ctx context.Context, volume, name, how string) error {
	code := backends.Locked
	if backends.CodeOf(ctx.Err()) == backends.Canceled {
		code = backends.Canceled
	}
	return backends.Errorf(code, "", "", "disk %q is attached to VM %q (%s)", volume, name, how).
		Advise("One VM at a time has a disk. Detach it from that VM, or destroy that VM; one that is replaced with create_before_destroy goes only after its successor is made, which then never gets the disk.")
}

// attachments are the disks that changes attach by Volume.
func attachments(changes []backends.Change) map[string]backends.Disk {
	disks := map[string]backends.Disk{}
	for _, c := range changes {
		if d, ok := c.To.(backends.Disk); ok && c.Action == backends.Add && d.Volume != nil {
			disks[c.Key] = d
		}
	}
	return disks
}
