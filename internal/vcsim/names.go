package vcsim

// Seed names what an estate holds from the start. On a stand-alone host most
// of it does not exist and is empty.
type Seed struct {
	Datacenter      string // "DC0"; "ha-datacenter" on a host
	OtherDatacenter string // holds a host, a network and a folder named as in Datacenter

	Clusters  []string   // two
	Hosts     [][]string // of each cluster, two each
	Host      string     // stands alone, in Datacenter
	OtherHost string     // stands alone, in OtherDatacenter

	Datastores       []string // mounted on all hosts of Datacenter
	DatastoreCluster string
	ClusterDatastore string // in DatastoreCluster
	LocalDatastore   string // mounted only on the first host of the second cluster
	SmallDatastore   string // 8 GiB, mounted everywhere
	OtherDatastore   string // in OtherDatacenter

	Network        string // standard port group, on all hosts, in both datacenters
	SecondNetwork  string // standard port group on all hosts of Datacenter
	LocalNetwork   string // standard port group on the first host of the second cluster only
	Switch         string // distributed, of all hosts of Datacenter
	PortGroup      string // distributed, without a VLAN
	VLANPortGroup  string // tagged with VLAN; distributed, on a stand-alone host standard
	NextPortGroup  string // the same, tagged with VLAN + 1
	TrunkPortGroup string // distributed, a trunk of VLANs 100 to 199
	VLAN           int
	OpaqueNetwork  string // an NSX segment

	Pool, ChildPool     string // in the first cluster; Pool holds ChildPool
	Folder, ChildFolder string // of machines; Folder holds ChildFolder and exists in both datacenters

	Policy          string // only PolicyDatastore is compatible with it
	PolicyDatastore string
	TagCategory     string   // a machine has one tag of it at most
	Tags            []string // of TagCategory
	TeamCategory    string   // a machine may have several tags of it
	TeamTags        []string // of TeamCategory

	PCIDevice string // of every host, for machines to have whole
	VGPU      string // a profile that every host has

	Library     string
	LibraryOVF  string // an item: a machine with one disk
	LibraryISO  string // an item
	Template    string
	VMs         []string // powered off
	Attribute   string   // a custom attribute of machines
	KeyProvider string
}

// vCenterSeed is what a vCenter holds.
func vCenterSeed() Seed {
	return Seed{
		Datacenter:       "DC0",
		OtherDatacenter:  "DC1",
		Clusters:         []string{"cluster-a", "cluster-b"},
		Hosts:            [][]string{{"esx-a1", "esx-a2"}, {"esx-b1", "esx-b2"}},
		Host:             "esx-c1",
		OtherHost:        "esx-d1",
		Datastores:       []string{"datastore1", "fast", "small", "pod-a"},
		DatastoreCluster: "pod",
		ClusterDatastore: "pod-a",
		LocalDatastore:   "local-b1",
		SmallDatastore:   "small",
		OtherDatastore:   "datastore-d",
		Network:          "VM Network",
		SecondNetwork:    "Storage Network",
		LocalNetwork:     "Local Network",
		Switch:           "dvs",
		PortGroup:        "dv-servers",
		VLANPortGroup:    "dv-vlan30",
		NextPortGroup:    "dv-vlan31",
		TrunkPortGroup:   "dv-trunk",
		VLAN:             30,
		OpaqueNetwork:    "segment-web",
		Pool:             "production",
		ChildPool:        "web",
		Folder:           "prod",
		ChildFolder:      "web",
		Policy:           "gold",
		PolicyDatastore:  "fast",
		TagCategory:      "environment",
		Tags:             []string{"production", "test"},
		TeamCategory:     "team",
		TeamTags:         []string{"blue", "green"},
		PCIDevice:        "0000:65:00.0",
		VGPU:             "grid_t4-1q",
		Library:          "shared",
		LibraryOVF:       "tiny",
		LibraryISO:       "rescue",
		Template:         "golden",
		VMs:              []string{"vm-one", "vm-two"},
		Attribute:        "owner",
		KeyProvider:      "native",
	}
}

// hostSeed is what a stand-alone host holds.
func hostSeed() Seed {
	return Seed{
		Datacenter:     "ha-datacenter",
		Host:           "localhost.localdomain",
		Datastores:     []string{"datastore1", "small"},
		SmallDatastore: "small",
		Network:        "VM Network",
		SecondNetwork:  "Storage Network",
		VLANPortGroup:  "VLAN 30",
		NextPortGroup:  "VLAN 31",
		VLAN:           30,
		Pool:           "production",
		ChildPool:      "web",
		PCIDevice:      "0000:65:00.0",
		VGPU:           "grid_t4-1q",
		VMs:            []string{"vm-one", "vm-two"},
	}
}
