package pvesim

func init() {
	handle("GET /version", func(r *request) (any, error) { return r.version(), nil })
	handle("GET /nodes/{node}/version", func(r *request) (any, error) { return r.version(), nil })
}

// version is the version of the cluster's nodes.
func (c *cluster) version() map[string]any {
	if c.opts.Version == 9 {
		return map[string]any{"version": "9.1.3", "release": "9.1", "repoid": "77a4a8e1f0b5d1ae"}
	}
	return map[string]any{"version": "8.4.21", "release": "8.4", "repoid": "2606ac850d46da29"}
}
