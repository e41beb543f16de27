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
				if backends.CodeOf(err) != backends.Locked || !strings.Contains(err.Error(), `disk "pool/data" is attached to VM "web" (2)`) {
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
		if err := awaitVolumes(ctx, h, "1", "web", disks); err != nil {
			t.Error(err)
		}
		if err := awaitVolumes(ctx, &h.fake, "2", "web", disks); err != nil { // its GetDisk answers Unsupported
			t.Error(err)
		}
		if time.Since(started) > 0 {
			t.Errorf("waited %s", time.Since(started))
		}
	})
}
