package mock_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// TestLatency: calls take the time that was asked for, tell their progress, and
// a seed decides the jitter.
func TestLatency(t *testing.T) {
	took := func(seed int64) time.Duration {
		clock := newQuick()
		b := open(t, mock.Options{Latency: 8 * time.Second, Jitter: 4 * time.Second, Seed: seed, Clock: clock})
		var percents []int
		ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
			percents = append(percents, p.Percent)
			if p.Task == "" || p.Op != "create" || p.Object != `VM "vm"` {
				t.Errorf("progress %+v", p)
			}
		})
		start := clock.Now()
		if _, err := b.CreateVM(ctx, spec("vm")); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(percents, []int{0, 25, 50, 75, 100}) {
			t.Errorf("progress %v", percents)
		}
		return clock.Now().Sub(start)
	}
	first := took(1)
	if first < 8*time.Second || first >= 12*time.Second {
		t.Errorf("the creation took %s, want 8 to 12 seconds", first)
	}
	if again := took(1); again != first {
		t.Errorf("the same seed took %s, then %s", first, again)
	}
	if other := took(2); other == first {
		t.Errorf("another seed took %s too", other)
	}
}

// TestInterruptedCreation: the VM exists, says so, and the next try ends it.
func TestInterruptedCreation(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Latency: time.Second, Clock: clock})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-clock.waiting
		cancel()
	}()
	s := spec("vm")
	s.CreateToken = "t1"
	id, err := b.CreateVM(ctx, s)
	wantCode(t, err, backends.Canceled, `create VM "vm"`)
	if id == "" {
		t.Fatal("the VM exists and its id was not returned")
	}
	close(clock.release)
	if vm := get(t, b, id); vm.Status != "creating" || vm.Power != backends.Stopped {
		t.Errorf("the VM is %s (%s), want one that is being created", vm.Power, vm.Status)
	}
	wantCode(t, b.SetPower(t.Context(), id, backends.PowerOn), backends.Precondition, "did not end")
	tasks, err := b.Tasks(t.Context(), backends.TaskFilter{VM: id})
	if err != nil || len(tasks) == 0 || tasks[len(tasks)-1].State != "canceled" {
		t.Errorf("tasks %+v, %v; want the first one canceled", tasks, err)
	}
	again, err := b.CreateVM(t.Context(), s)
	if err != nil || again != id {
		t.Fatalf("the same creation again: %q, %v; want %q", again, err, id)
	}
	power(t, b, id, backends.PowerOn)
}

// TestInterruptedChange: nothing happened.
func TestInterruptedChange(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Latency: time.Second, Clock: clock, SampleData: true})
	list := make(chan []backends.VMSummary, 1)
	go func() {
		all, _ := b.ListVMs(context.WithoutCancel(t.Context()), backends.VMFilter{Names: []string{"web-01"}})
		list <- all
	}()
	<-clock.waiting
	clock.release <- time.Time{}
	id := (<-list)[0].ID

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-clock.waiting
		cancel()
	}()
	wantCode(t, b.DeleteVM(ctx, id, backends.DeleteOptions{}), backends.Canceled, "web-01")
	close(clock.release)
	if vm := get(t, b, id); vm.Power != backends.Running {
		t.Errorf("the VM is %s", vm.Power)
	}
}

// TestLocks: one VM is served in turn, another one at once.
func TestLocks(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Clock: clock})
	one, other := create(t, b, spec("one")), create(t, b, spec("other"))

	b.SlowDown(time.Second)
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- b.SetPower(ctx, one, backends.PowerOn) }()
	<-clock.waiting // it has the lock

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	wantCode(t, b.SetPower(short, one, backends.PowerOff), backends.Locked, "start", `VM "one"`)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantCode(t, b.SetPower(gone, one, backends.PowerOff), backends.Canceled)

	free := make(chan error, 1)
	go func() { free <- b.SetPower(ctx, other, backends.PowerOn) }()
	<-clock.waiting // not held up by the lock of one
	second := make(chan error, 1)
	go func() { second <- b.SetPower(ctx, one, backends.Pause) }()

	close(clock.release)
	for name, c := range map[string]chan error{"the holder": done, "the other VM": free, "who waited": second} {
		if err := <-c; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := get(t, b, one).Power; got != backends.Paused {
		t.Errorf("the VM is %s, want what the one who waited made of it", got)
	}
}
