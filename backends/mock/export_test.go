package mock

import "time"

// SlowDown changes how long each call takes.
func (b *Backend) SlowDown(latency time.Duration) { b.options.Latency = latency }
