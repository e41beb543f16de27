package pvesim

import (
	"encoding/xml"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ovfEnvelope is what Proxmox VE reads of the description of a virtual appliance. It knows version 1.
type ovfEnvelope struct {
	Files []struct {
		ID   string `xml:"id,attr"`
		Href string `xml:"href,attr"`
	} `xml:"References>File"`
	Disks []struct {
		ID       string `xml:"diskId,attr"`
		File     string `xml:"fileRef,attr"`
		Capacity string `xml:"capacity,attr"`
		Units    string `xml:"capacityAllocationUnits,attr"`
	} `xml:"DiskSection>Disk"`
	System struct {
		ID   string `xml:"id,attr"`
		Name string `xml:"Name"`
		OS   struct {
			ID int `xml:"id,attr"`
		} `xml:"OperatingSystemSection"`
		Items  []ovfItem `xml:"VirtualHardwareSection>Item"`
		Config []struct {
			Key   string `xml:"key,attr"`
			Value string `xml:"value,attr"`
		} `xml:"VirtualHardwareSection>Config"`
	} `xml:"VirtualSystem"`
}

type ovfItem struct {
	Type     int    `xml:"ResourceType"`
	Subtype  string `xml:"ResourceSubType"`
	Instance string `xml:"InstanceID"`
	Parent   string `xml:"Parent"`
	Address  string `xml:"AddressOnParent"`
	Host     string `xml:"HostResource"`
	Quantity string `xml:"VirtualQuantity"`
}

// Types of resources in an appliance.
const (
	ovfProcessor = 3
	ovfMemory    = 4
	ovfNIC       = 10
	ovfDisk      = 17
)

var ovfBuses = map[int]string{5: "ide", 6: "scsi", 20: "sata"}

// ovfMachine is what Proxmox VE makes of an appliance.
type ovfMachine struct {
	config map[string]any
	disks  []ovfDrive
	net    map[string]any
}

type ovfDrive struct {
	key, file string
	size      int64 // 0 where the description does not say
}

var (
	nameSpaces    = regexp.MustCompile(`\s+`)
	nameForbidden = regexp.MustCompile(`[^a-zA-Z0-9\-.]`)
	ovfHost       = regexp.MustCompile(`^(?:ovf:)?/[\w\-.~]+/([\w\-.~]+)$`)
	ovfUnits      = regexp.MustCompile(`^\s*byte\s*\*\s*([0-9]+)\s*\^\s*([0-9]+)\s*$`)
	ovfFile       = regexp.MustCompile(`^[ A-Za-z0-9\-.+=_]+$`)
)

// parseOVF reads a description as Proxmox VE does.
func parseOVF(text []byte) (*ovfMachine, error) {
	var e ovfEnvelope
	if err := xml.Unmarshal(text, &e); err != nil {
		return nil, die("OVF parser terminated unexpectedly trying to parse: %v", err)
	}
	m := &ovfMachine{config: map[string]any{"cores": "", "memory": "", "ostype": ovfOS(e.System.OS.ID)}, net: map[string]any{}}
	name := strings.TrimSpace(e.System.Name)
	if name == "" {
		name = e.System.ID
	}
	if name != "" {
		m.config["name"] = nameForbidden.ReplaceAllString(nameSpaces.ReplaceAllString(name, "-"), "")
	}
	for _, c := range e.System.Config {
		if c.Key == "firmware" && c.Value == "efi" {
			m.config["bios"] = "ovmf"
		}
	}
	for _, item := range e.System.Items {
		switch item.Type {
		case ovfProcessor:
			m.config["cores"] = strings.TrimSpace(item.Quantity)
		case ovfMemory:
			m.config["memory"] = strings.TrimSpace(item.Quantity)
		case ovfNIC:
			model := strings.ToLower(strings.TrimSpace(item.Subtype))
			if !slices.Contains([]string{"e1000", "e1000e", "vmxnet3"}, model) {
				model = "e1000"
			}
			m.net["net"+strconv.Itoa(len(m.net))] = map[string]any{"model": model}
		case ovfDisk:
			d, ok, err := e.drive(item)
			if err != nil {
				return nil, err
			}
			if ok {
				m.disks = append(m.disks, d)
			}
		}
	}
	var order []string
	for _, d := range m.disks {
		order = append(order, d.key)
	}
	if len(order) > 0 {
		m.config["boot"] = "order=" + strings.Join(order, ";")
	}
	return m, nil
}

// drive finds what belongs to an item that is a disk; one that cannot be made out is left out.
func (e *ovfEnvelope) drive(item ovfItem) (ovfDrive, bool, error) {
	host := ovfHost.FindStringSubmatch(strings.TrimSpace(item.Host))
	if host == nil {
		return ovfDrive{}, false, nil
	}
	d, ref := ovfDrive{}, ""
	for _, disk := range e.Disks {
		if disk.ID != host[1] {
			continue
		}
		ref = disk.File
		capacity, err := strconv.ParseFloat(disk.Capacity, 64)
		if u := ovfUnits.FindStringSubmatch(disk.Units); u != nil && err == nil {
			d.size = int64(capacity * math.Pow(float64(digits(u[1])), float64(digits(u[2]))))
		}
	}
	bus := ""
	for _, controller := range e.System.Items {
		if controller.Instance == item.Parent {
			bus = ovfBuses[controller.Type]
		}
	}
	for _, f := range e.Files {
		if f.ID == ref && ref != "" {
			d.file = f.Href
		}
	}
	if d.file == "" || bus == "" {
		return ovfDrive{}, false, nil
	}
	if !ovfFile.MatchString(d.file) || d.file == "." || d.file == ".." {
		return ovfDrive{}, false, die("referenced path '%s' is invalid", d.file)
	}
	d.key = bus + strings.TrimSpace(item.Address)
	return d, true, nil
}

// ovfSystems are operating systems by the number that an appliance has for them.
var ovfSystems = map[string][]int{
	"l26": {36, 79, 80, 82, 83, 84, 85, 87, 89, 90, 91, 92, 93, 94, 95, 96, 99, 100, 101, 106, 107, 108, 109}, "l24": {97, 98},
	"solaris": {29, 81}, "w2k": {58}, "wxp": {67, 71, 72, 75}, "w2k3": {69, 70}, "wvista": {73, 74}, "w2k8": {76, 77},
	"win7": {103, 105}, "win8": {111, 112, 113, 114, 115, 117, 118}, "win10": {116, 119, 120, 121}, "win11": {122, 123},
}

func ovfOS(id int) string {
	for _, name := range slices.Sorted(maps.Keys(ovfSystems)) {
		if slices.Contains(ovfSystems[name], id) {
			return name
		}
	}
	return "other"
}
