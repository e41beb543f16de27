package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("POST /nodes/{node}/qemu/{vmid}/clone", vmClone)
}

// cloneJob is what a clone is made from, and to.
type cloneJob struct {
	*cluster
	node, target  string // target is "" for the same node
	vmid, newid   int
	snap          string
	storage       string // "" is each disk's own
	format        string
	pool          string
	name          string
	description   string
	full, fullSet bool
}

// vmClone clones a VM or a template.
func vmClone(r *request) (any, error) {
	j := &cloneJob{
		cluster: r.cluster, node: r.p["node"], target: r.p["target"], vmid: r.p.num("vmid", 0), newid: r.p.num("newid", 0),
		snap: r.p["snapname"], storage: r.p["storage"], format: r.p["format"], pool: r.p["pool"],
		name: r.p["name"], description: r.p["description"], full: r.p.flag("full"), fullSet: r.p.has("full"),
	}
	if j.target == j.node || j.target == "localhost" {
		j.target = ""
	}
	m, err := r.vm()
	if err != nil {
		return nil, noConfig(j.node, j.vmid)
	}
	if err := j.checkPlace(); err != nil {
		return nil, err
	}
	if _, err := j.plan(m); err != nil {
		return nil, err
	}
	if err := j.checkAccess(r, m); err != nil {
		return nil, err
	}
	return r.forkNow(r.user, j.node, "qmclone", strconv.Itoa(j.vmid), j.run), nil
}

// checkPlace refuses pools, nodes and storages that the clone cannot go to.
func (j *cloneJob) checkPlace() error {
	if j.pool != "" && j.pools[j.pool] == nil {
		return raise(403, "Permission check failed (pool '%s' does not exist)", j.pool)
	}
	if j.target != "" && !j.member(j.target) {
		return die("no such cluster node '%s'", j.target)
	}
	if j.storage == "" {
		return nil
	}
	st, err := j.usable(j.node, j.storage)
	if err != nil {
		return err
	}
	if !st.holds("images") {
		return wrongParam("storage", "storage '%s' does not support vm images", j.storage)
	}
	if j.target == "" {
		return nil
	}
	if _, err := j.usable(j.target, j.storage); err != nil {
		return err
	}
	if !st.shared() {
		return die("can't clone to non-shared storage '%s'", j.storage)
	}
	return nil
}

// checkAccess refuses a user who may not use what the clone takes.
func (j *cloneJob) checkAccess(r *request, m *machine) error {
	from := j.source(m)
	keys, drives := from.disks()
	for _, key := range keys {
		id := drives[key].storage()
		if j.storage != "" {
			id = j.storage
		}
		if err := r.need(r, "/storage/"+id, "Datastore.AllocateSpace"); err != nil {
			return err
		}
	}
	nics := params{}
	for key, value := range from {
		if isNIC(key) {
			nics[key] = value
		}
	}
	return r.checkBridges(nics)
}

// source is the configuration that is cloned.
func (j *cloneJob) source(m *machine) section {
	if j.snap != "" {
		return m.snapshots[j.snap].config
	}
	return m.config
}

// notCloned are the keys that a clone does not get.
var notCloned = map[string]bool{
	"parent": true, "snaptime": true, "vmstate": true, "snapstate": true, "runningcpu": true, "runningmachine": true,
	"running-nets-host-mtu": true, "lock": true, "digest": true,
}

// clonePlan is what a clone comes to: its configuration but for the disks, and these by key, in order.
type clonePlan struct {
	config section
	keys   []string
	drives map[string]drive
	full   map[string]bool // these are copied, others share what they have
}

// plan says what the clone comes to, or why it cannot be. It holds mu.
func (j *cloneJob) plan(m *machine) (*clonePlan, error) {
	if err := m.checkLock(); err != nil {
		return nil, err
	}
	if j.snap != "" && m.snapshots[j.snap] == nil {
		return nil, noSnapshot(j.snap)
	}
	full := j.full
	if !j.fullSet {
		full = !m.template
	}
	switch {
	case j.storage != "" && !full:
		return nil, die("parameter 'storage' not allowed for linked clones")
	case j.format != "" && !full:
		return nil, die("parameter 'format' not allowed for linked clones")
	}
	from := j.source(m)
	if j.target != "" && !j.sharedDrives(from) {
		return nil, die("can't clone VM to node '%s' (VM uses local storage)", j.target)
	}
	if other := j.machines[j.newid]; other != nil && other.node.name == j.node {
		return nil, die("unable to create VM %d: config file already exists", j.newid)
	}
	p := &clonePlan{config: section{}, drives: map[string]drive{}, full: map[string]bool{}}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		value := from[key]
		switch {
		case notCloned[key], isUnused(key):
		case full && m.running && j.snap == "" && key == "tpmstate0":
			return nil, die("cannot clone TPM state while VM is running")
		case isNIC(key):
			n := parseNIC(value)
			n.mac = randomMAC()
			p.config[key] = n.String()
		case isDrive(key):
			if err := j.planDrive(p, key, value, full); err != nil {
				return nil, err
			}
		default:
			p.config[key] = value
		}
	}
	j.personalise(p.config, from)
	return p, nil
}

// planDrive is plan for one drive. CD-ROM drives keep what they have, but for cloud-init's.
func (j *cloneJob) planDrive(p *clonePlan, key, value string, full bool) error {
	d := parseDrive(value)
	if d.cdrom() && !d.cloudInit() {
		p.config[key] = value
		return nil
	}
	what := "clone feature is not supported for"
	if j.snap != "" {
		what += " a snapshot of"
	}
	v := j.volume(j.node, d.file)
	feature, kind := "clone", "Linked"
	if full || d.cloudInit() || key == "tpmstate0" {
		feature, kind = "copy", "Full"
		p.full[key] = true
	}
	snap := j.snap
	if d.cloudInit() {
		snap = ""
	}
	if v != nil && !v.can(feature, snap) {
		return die("%s %s '%s' (%s)", kind, what, d.file, key)
	}
	p.keys = append(p.keys, key)
	p.drives[key] = d
	return nil
}

// sharedDrives tells whether all volumes of a configuration are on storages that all nodes see.
func (c *cluster) sharedDrives(s section) bool {
	for _, key := range s.drives() {
		if st := c.storage(parseDrive(s[key]).storage()); st != nil && !st.shared() {
			return false
		}
	}
	return true
}

// personalise gives the clone an identity of its own.
func (j *cloneJob) personalise(s, from section) {
	parts := slices.DeleteFunc(strings.Split(s["smbios1"], ","), func(part string) bool {
		return part == "" || strings.HasPrefix(part, "uuid=")
	})
	parts = append(parts, "uuid="+freshUUID())
	slices.Sort(parts)
	s["smbios1"] = strings.Join(parts, ",")
	if s["vmgenid"] != "" {
		s["vmgenid"] = freshUUID()
	}
	if s["name"] = j.name; j.name == "" {
		s["name"] = "Copy-of-VM-" + from.or("name", strconv.Itoa(j.vmid))
	}
	if j.description != "" {
		s["description"] = j.description
	}
}
