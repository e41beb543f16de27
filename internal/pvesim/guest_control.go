package pvesim

import "time"

// guestPowersOff lets a guest turn its VM off, as one does that was asked from the inside.
func (c *cluster) guestPowersOff(m *machine) {
	after, obeys := c.guestObeys(m)
	if !obeys {
		return
	}
	g := m.inGuest
	c.work.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if m.running && m.inGuest == g {
			if s, ok := any(c).(interface{ stop(m *machine) }); ok {
				s.stop(m)
			}
		}
	})
}
