package pvesim

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

const (
	rootTokenName = "tf"
	rootToken     = "11111111-2222-3333-4444-555555555555"
	rootPassword  = "simulated-root"
	clusterName   = "simulated"
)

const gib = 1 << 30

// newCluster makes the cluster that a server begins with.
func newCluster(ctx context.Context, o Options) *cluster {
	c := &cluster{
		opts:     o,
		schema:   apischema.Load(o.Version),
		extra:    extraEndpoints(),
		ctx:      ctx,
		volumes:  newVolumes(),
		machines: map[int]*machine{},
		told:     map[string]broadcast{},
		pools:    map[string]*pool{},
		tasks:    newTaskList(),
		ha:       newHaState(),
		misc:     newMiscState(),
		firewall: newFirewallState(),
		access:   newAccess(o.Version),
	}
	booted := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	for _, name := range o.Nodes {
		c.nodes = append(c.nodes, &node{
			name: name, online: true, cpus: 8, memory: 64 * gib, booted: booted, ifaces: seedInterfaces(), digests: map[string]string{},
		})
	}
	c.storages = []*storage{
		{id: "local", kind: "dir", capacity: 1024 * gib, options: section{"path": "/var/lib/vz", "content": "iso,vztmpl,snippets,backup,import,images,rootdir"}},
		{id: "local-lvm", kind: "lvmthin", capacity: 1024 * gib, options: section{"vgname": "pve", "thinpool": "data", "content": "images,rootdir"}},
	}
	if len(o.Nodes) > 1 {
		c.storages = append(c.storages, &storage{id: "shared", kind: "nfs", capacity: 2048 * gib, options: section{
			"path": "/mnt/pve/shared", "server": "10.10.0.9", "export": "/export", "content": "images,iso,import,snippets", "shared": "1",
		}})
	}
	c.seedMachines()
	if o.Examples {
		c.seedExamples()
	}
	if o.StatsLag > 0 {
		c.tell()
		c.work.Go(c.broadcastAll)
	}
	if o.HARound > 0 && c.haRound() {
		c.haWake() // last: from here on others look at the cluster
	}
	return c
}

// seedInterfaces are the cards and bridges of each node. vmbr0 is where pretended guests find a DHCP server.
func seedInterfaces() []*iface {
	return []*iface{
		{name: "eno1", kind: "eth", active: true, options: map[string]string{"method": "manual"}},
		{name: "vmbr0", kind: "bridge", active: true, options: map[string]string{
			"method": "static", "address": "10.10.0.2", "netmask": "24", "cidr": "10.10.0.2/24", "gateway": "10.10.0.1",
			"bridge_ports": "eno1", "bridge_stp": "off", "bridge_fd": "0", "autostart": "1",
		}},
		{name: "vmbr1", kind: "bridge", active: true, options: map[string]string{
			"method": "manual", "bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0", "autostart": "1",
		}},
		{name: "vmbr2", kind: "bridge", active: true, options: map[string]string{
			"method": "manual", "bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0", "bridge_vlan_aware": "1", "bridge_vids": "2-4094", "autostart": "1",
		}},
	}
}
