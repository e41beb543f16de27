package mock_test

import (
	"sync"
	"time"
)

// quick is a clock that jumps: whoever waits goes on at once, and time has passed.
type quick struct {
	mu  sync.Mutex
	now time.Time
}

func newQuick() *quick { return &quick{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *quick) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *quick) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	fired := make(chan time.Time, 1)
	fired <- c.now
	return fired
}

// held is a clock that stands still: who waits says so and stays until released.
type held struct {
	waiting chan struct{}
	release chan time.Time
}

func newHeld() *held {
	return &held{waiting: make(chan struct{}, 100), release: make(chan time.Time)}
}

func (c *held) Now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func (c *held) After(time.Duration) <-chan time.Time {
	c.waiting <- struct{}{}
	return c.release
}
