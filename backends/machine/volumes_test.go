package machine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// holding is a fake whose disk "pool/data" another VM has for a while.
type holding struct {
	fake
	holder backends.ID
	until  time.Time
}

func (h *holding) GetDisk(_ context.Context, id string) (backends.Volume, error) {
	v := backends.Volume{ID: id, Name: "data"}
	if time.Now().Before(h.until) {
		v.AttachedTo = h.holder
	}
	return v, nil
}

func TestCreateWaitsForADiskThatAnotherVMHas(t *testing.T) {
	volume := "pool/data"
	spec := &backends.VMSpec{Name: "new", Disks: map[string]backends.Disk{"data": {Volume: &volume}}}
	h := &holding{holder: "2"}
	run(t, &h.fake, func(ctx context.Context) {
		h.until = time.Now().Add(time.Minute)
		reported := 0
		ctx = backends.WithProgress(ctx, func(p backends.Progress) {
			if p.Object == `disk "pool/data"` {
				reported++
			}
		})
		if _, _, err := Create(ctx, h, spec, nil, CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if time.Now().Before(h.until) {
			t.Error("the VM was made while the disk was attached elsewhere")
		}
		if reported == 0 {
			t.Error("the wait was not reported")
		}
		wantCalls(t, &h.fake, "create")
	})
}

func TestADiskIsNotWaitedForForever(t *testing.T) {
	volume := "pool/data"
	to := &backends.VMSpec{Name: "new", Disks: map[string]backends.Disk{"data": {Volume: &volume}}}
	from := &backends.VMSpec{Name: "new", Disks: map[string]backends.Disk{}}
	update := Update{From: from, To: to, Changes: backends.Diff(from, to), Power: backends.Stopped, Stop: DefaultShutdown}
	for name, test := range map[string]struct {
		within time.Duration
		call   func(context.Context, *holding) error
	}{
		"a creation": {2 * time.Minute, func(ctx context.Context, h *holding) error {
			_, _, err := Create(ctx, h, to, nil, CreateOptions{})
			return err
		}},
		"a clone": {2 * time.Minute, func(ctx context.Context, h *holding) error {
			_, _, err := Create(ctx, h, nil, &backends.CloneSpec{Spec: *to}, CreateOptions{})
			return err
		}},
		"a change": {2 * time.Minute, func(ctx context.Context, h *holding) error { return Apply(ctx, h, "1", update) }},
		"within timeouts.create": {5 * time.Second, func(ctx context.Context, h *holding) error {
			_, _, err := Create(ctx, h, to, nil, CreateOptions{})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &holding{holder: "2", fake: fake{power: backends.Running}}
			run(t, &h.fake, func(ctx context.Context) {
				h.until = time.Now().Add(24 * time.Hour)
				ctx, cancel := context.WithTimeout(ctx, test.within)
				defer cancel()
				started := time.Now()
				err := test.call(ctx, h)
				if backends.CodeOf(err) != backends.Locked || !strings.Contains(err.Error(), `disk "pool/data" is attached to VM "web" (id 2, `) {
					t.Errorf("got %v", err)
				}
				if waited := time.Since(started); waited > volumeTime || waited > test.within {
					t.Errorf("waited %s", waited)
				}
				wantCalls(t, &h.fake) // nothing was stopped or changed for it
			})
		})
	}
}

// Its own disk, and what cannot be read, is nobody's to wait for.
func TestNothingIsWaitedForInVain(t *testing.T) {
	volume := "pool/data"
	disks := map[string]backends.Disk{"data": {Volume: &volume}}
	h := &holding{holder: "1"}
	run(t, &h.fake, func(ctx context.Context) {
		started := time.Now()
		h.until = started.Add(time.Hour)
		for id, b := range map[backends.ID]backends.Backend{"1": h, "2": &h.fake} { // of which the last has no disks to read
			release, err := getVolumes(ctx, b, id, "web", disks)
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if time.Since(started) > 0 {
			t.Errorf("waited %s", time.Since(started))
		}
	})
}

// Two VMs that want one disk at the same time: the second sees that the first has
// it, however long the first took to be made.
func TestOneDiskIsNotGivenToTwo(t *testing.T) {
	volume := "pool/data"
	disks := map[string]backends.Disk{"data": {Volume: &volume}}
	h := &holding{holder: "1"}
	run(t, &h.fake, func(ctx context.Context) {
		release, err := getVolumes(ctx, h, "", "first", disks)
		if err != nil {
			t.Fatal(err)
		}
		refused := make(chan error, 2)
		go func() {
			_, err := getVolumes(ctx, h, "", "second", disks)
			refused <- err
		}()
		time.Sleep(time.Minute) // of the test's clock
		h.until = time.Now().Add(time.Hour)
		release()
		if err := <-refused; err == nil || !strings.Contains(err.Error(), `VM "second": disk "pool/data" is attached to VM "web" (id 1`) {
			t.Errorf("the second got %v", err)
		}

		h.until = time.Time{}
		release, err = getVolumes(ctx, h, "", "third", disks)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if _, err := getVolumes(ctx, h, "", "fourth", disks); err == nil || !strings.Contains(err.Error(), `is attached to VM "third" (which is getting it)`) {
			t.Errorf("the fourth got %v", err)
		}
	})
}
