package middleware

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// town is a fake whose VMs have the number of the last write as their status.
type town struct {
	fake
	mu     sync.Mutex
	calls  [][]backends.ID
	listed int
	state  int
	size   int
	fails  error
	during func() // runs while a bulk read is under way
	lists  func() // runs while the estate is listed
}

func newTown() *town {
	w := &town{size: 50}
	w.get = func(_ context.Context, ids []backends.ID) (map[backends.ID]backends.Result, error) {
		w.mu.Lock()
		w.calls = append(w.calls, ids)
		status := fmt.Sprint(w.state)
		during := w.during
		w.during = nil
		w.mu.Unlock()
		if during != nil {
			during()
		}
		m := found(ids)
		for _, r := range m {
			r.VM.Status = status
		}
		return m, nil
	}
	w.create = func(context.Context) (backends.ID, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.state++
		return "new", nil
	}
	return w
}

func (w *town) Estate(context.Context) ([]backends.ID, error) {
	if w.lists != nil {
		w.lists()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed++
	var ids []backends.ID
	for i := range w.size {
		ids = append(ids, resident(i))
	}
	return ids, w.fails
}

func resident(i int) backends.ID { return backends.ID(fmt.Sprintf("vm-%d", i)) }

// status reads one VM as Terraform does, by itself.
func status(t *testing.T, b backends.Backend, id backends.ID) string {
	t.Helper()
	got, err := b.GetVMs(t.Context(), []backends.ID{id}, backends.AspectConfig)
	if err != nil || len(got) != 1 || got[id].VM == nil {
		t.Fatalf("GetVMs(%s): %v, %v", id, got, err)
	}
	return got[id].VM.Status
}

func TestReadAheadOfARefresh(t *testing.T) {
	w := newTown()
	b := ReadAhead(w, w)
	for i := range 50 {
		status(t, b, resident(i))
	}
	if len(w.calls) != 2 || w.listed != 1 {
		t.Errorf("50 reads made %d calls and %d lists", len(w.calls), w.listed)
	}
	// Each result was good for one read: whoever reads again, waits for something to happen.
	before := len(w.calls)
	w.state = 7
	for range 3 {
		if s := status(t, b, resident(20)); s != "7" {
			t.Errorf("a VM that is read again has the state %s of the past", s)
		}
	}
	if len(w.calls) != before+3 {
		t.Errorf("3 reads again made %d calls", len(w.calls)-before)
	}
}

func TestReadAheadLeavesOneAlone(t *testing.T) {
	w := newTown()
	b := ReadAhead(w, w)
	for range 20 {
		status(t, b, resident(1))
	}
	if w.listed != 0 || len(w.calls) != 20 {
		t.Errorf("reading one VM 20 times made %d lists and %d calls", w.listed, len(w.calls))
	}
}

// A large estate is listed once, and read when a good part of it was.
func TestReadAheadOfALargeEstate(t *testing.T) {
	w := newTown()
	w.size = 5 * aheadShare
	b := ReadAhead(w, w)
	for i := range 4 {
		status(t, b, resident(i))
	}
	if w.listed != 1 || len(w.calls) != 4 {
		t.Errorf("4 reads of %d VMs made %d lists and %d calls", w.size, w.listed, len(w.calls))
	}
	for i := range w.size {
		status(t, b, resident(i+4))
	}
	if w.listed != 1 || len(w.calls) > 4+1+4 {
		t.Errorf("reading all made %d lists and %d calls", w.listed, len(w.calls))
	}
}

func TestReadAheadNeverShowsThePast(t *testing.T) {
	w := newTown()
	b := ReadAhead(w, w)
	for i := range 10 {
		status(t, b, resident(i))
	}
	if _, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	if s := status(t, b, resident(30)); s != "1" {
		t.Errorf("after a write a VM has the state %s of before", s)
	}

	// A write during the bulk read: what that brings may be of before.
	w = newTown()
	b = ReadAhead(w, w)
	status(t, b, resident(0))
	w.during = func() {
		if _, err := b.CreateVM(context.WithoutCancel(t.Context()), &backends.VMSpec{Name: "new"}); err != nil {
			t.Error(err)
		}
	}
	status(t, b, resident(10))
	if s := status(t, b, resident(11)); s != "1" {
		t.Errorf("after a write during the bulk read a VM has the state %s", s)
	}
}

func TestReadAheadThatFails(t *testing.T) {
	w := newTown()
	w.fails = errors.New("no list")
	b := ReadAhead(w, w)
	for i := range 10 {
		status(t, b, resident(i))
	}
	if len(w.calls) != 10 {
		t.Errorf("without a list 10 reads made %d calls", len(w.calls))
	}
}

func TestReadAheadSideBySide(t *testing.T) {
	w := newTown()
	b := ReadAhead(w, w)
	status(t, b, resident(0))
	var wg sync.WaitGroup
	for i := 1; i < 50; i++ {
		wg.Go(func() { status(t, b, resident(i)) })
	}
	wg.Wait()
	if len(w.calls) != 2 {
		t.Errorf("50 reads made %d calls", len(w.calls))
	}
}

// Those that come while the estate is listed are part of the bulk read.
func TestReadAheadWhileListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown()
		b := ReadAhead(w, w)
		status(t, b, resident(0))
		var wg sync.WaitGroup
		w.lists = func() {
			for i := 2; i < 50; i++ {
				wg.Go(func() { status(t, b, resident(i)) })
			}
			synctest.Wait()
		}
		status(t, b, resident(1))
		wg.Wait()
		if len(w.calls) != 2 {
			t.Errorf("50 reads made %d calls", len(w.calls))
		}
	})
}
