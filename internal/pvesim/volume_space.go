package pvesim

// taken is how much of its storage a volume takes.
func (v *volume) taken() int64 {
	var snaps int64
	for _, s := range v.snaps {
		snaps += s.data.used() / 2 // what it shares with the others is not counted
	}
	data := v.data.used()
	if v.parent != "" {
		data = max(0, data-v.shared)
	}
	switch {
	case v.content != "images":
		return roundUp(v.data.length(), 4096)
	case v.parent == "" && v.storage.thick():
		return v.size + snaps
	case v.format == "qcow2":
		return v.metadata() + data + snaps
	}
	return data + snaps
}

// metadata is what a qcow2 image takes that nobody wrote to.
func (v *volume) metadata() int64 {
	const empty, table, tableSpan = 200704, 65536, 512 * mib
	if v.parent != "" {
		return empty
	}
	return empty + roundUp(v.size, tableSpan)/tableSpan*table
}

// usedOf is how much of a storage is taken at a node.
func (c *cluster) usedOf(st *storage, node string) int64 {
	used := st.overhead()
	for v := range c.each(st, node) {
		used += v.taken()
	}
	return used
}

// overhead is what an empty storage takes.
func (st *storage) overhead() int64 {
	if st.of().files {
		return min(st.capacity/64, 32*mib)
	}
	return 0
}

// spaceLeft is how much space a storage has left at a node.
func (c *cluster) spaceLeft(st *storage, node string) int64 {
	return max(0, st.capacity-c.usedOf(st, node))
}
