package storage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever calls while work is under way needs work that begins later, and all of
// them share that one.
func TestRoundsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rounds
		var all sync.WaitGroup
		times := 0
		call := func() {
			all.Go(func() {
				err := r.do(t.Context(), "pool", func() error {
					times++
					time.Sleep(time.Second)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		call()
		time.Sleep(time.Millisecond) // under way
		for range 20 {
			call()
		}
		all.Wait()
		if times != 2 {
			t.Errorf("the work was done %d times, want 2", times)
		}
	})
}

// Work that failed serves nobody but who did it, and waiting ends with the context.
func TestRoundsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rounds
		bad, times := errors.New("bad"), 0
		work := func() error {
			times++
			time.Sleep(time.Second)
			if times == 1 {
				return bad
			}
			return nil
		}
		var all sync.WaitGroup
		all.Go(func() {
			if err := r.do(t.Context(), "pool", work); !errors.Is(err, bad) {
				t.Errorf("the first call says %v", err)
			}
		})
		time.Sleep(time.Millisecond)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.do(over, "pool", work); !errors.Is(err, context.Canceled) {
			t.Errorf("a call that was cancelled says %v", err)
		}
		if err := r.do(t.Context(), "other", func() error { return nil }); err != nil {
			t.Error(err)
		}
		if err := r.do(t.Context(), "pool", work); err != nil || times != 2 {
			t.Errorf("the next call says %v after %d times", err, times)
		}
		all.Wait()
	})
}
