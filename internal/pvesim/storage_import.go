package pvesim

import (
	"io"
	"strings"
)

func init() {
	handle("GET /nodes/{node}/storage/{storage}/import-metadata", importMetadata)
}

// maxOVF bounds the description of an appliance.
const maxOVF = 4 << 20

// importMetadata tells what a VM would be like that is made of an appliance: the parameters to create it with.
func importMetadata(r *request) (any, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	n, err := st.parse(r.p["volume"])
	if err != nil {
		return nil, err
	}
	volid := st.id + ":" + r.p["volume"]
	v := r.volume(r.p["node"], volid)
	named := v
	if v == nil {
		named = &volume{volid: volid, storage: st, content: n.content, vmid: n.vmid}
	}
	if err := r.mayUse(named); err != nil {
		return nil, err
	}
	switch {
	case !st.of().files:
		return nil, die("storage does not support the importer API")
	case n.content != "import":
		return nil, die("invalid content type '%s'", n.content)
	case n.format != "ova" && n.format != "ovf":
		return nil, die("invalid format")
	case v == nil:
		return nil, die("OVF parser terminated unexpectedly trying to parse %s", st.pathOf(n))
	}
	m, err := r.readOVF(v)
	if err != nil {
		return nil, err
	}
	return r.showOVF(v, m), nil
}

// readOVF reads the description in an appliance.
func (c *cluster) readOVF(v *volume) (*ovfMachine, error) {
	data := v.data
	if v.format == "ova" {
		var err error
		if data, err = c.extract(v.data, func(name string) bool { return strings.HasSuffix(name, ".ovf") }); err != nil {
			return nil, die("command 'tar -xO --wildcards --occurrence=1 -f %s *.ovf' failed: exit code 2", v.path())
		}
	}
	if data == nil {
		return nil, die("OVF parser terminated unexpectedly trying to parse %s", v.path())
	}
	text, err := io.ReadAll(io.LimitReader(data.reader(), maxOVF))
	if err != nil {
		return nil, err
	}
	return parseOVF(text)
}

func (c *cluster) showOVF(v *volume, m *ovfMachine) map[string]any {
	disks, warnings := map[string]any{}, []any{}
	if v.format == "ova" {
		warnings = append(warnings, map[string]any{"type": "ova-needs-extracting"})
	}
	for _, d := range m.disks {
		disk := map[string]any{"volid": v.storage.id + ":import/" + d.file}
		if v.format == "ova" {
			disk["volid"] = v.volid + "/" + d.file
		} else if beside := c.volume(v.node, v.storage.id+":import/"+d.file); beside != nil {
			if size, err := checkImage(beside.data, beside.format); err == nil {
				d.size = size
			}
		}
		if d.size > 0 {
			disk["size"] = d.size
		}
		disks[d.key] = disk
	}
	if m.config["bios"] == "ovmf" {
		disks["efidisk0"] = 1
		warnings = append(warnings, map[string]any{"type": "efi-state-lost", "key": "bios", "value": "ovmf"})
	}
	return map[string]any{
		"type": "vm", "source": v.name(), "create-args": m.config, "disks": disks, "net": m.net, "warnings": warnings,
	}
}
