package pvesim

// container is the container that the path names at its node, or the error that Proxmox VE has for one that is not there.
func (r *request) container() (*machine, error) {
	id := r.p.num("vmid", 0)
	m := r.machines[id]
	if m == nil || !m.lxc || m.node.name != r.p["node"] {
		return nil, die("Configuration file 'nodes/%s/lxc/%d.conf' does not exist", r.p["node"], id)
	}
	return m, nil
}
