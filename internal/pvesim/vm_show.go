package pvesim

import (
	"maps"
	"slices"
	"strconv"
)

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}", vmIndex)
	handle("GET /nodes/{node}/qemu/{vmid}/config", vmConfig)
	handle("GET /nodes/{node}/qemu/{vmid}/pending", vmPending)
}

// numericKeys are the keys whose values the API shows as numbers: integers and booleans. All else is text,
// numbers with fractions and the memory among it.
var numericKeys = map[string]bool{
	"acpi": true, "allow-ksm": true, "autostart": true, "balloon": true, "ciupgrade": true, "cores": true, "cpuunits": true, "freeze": true,
	"keephugepages": true, "kvm": true, "localtime": true, "migrate_speed": true, "numa": true, "onboot": true,
	"protection": true, "reboot": true, "shares": true, "smp": true, "sockets": true, "tablet": true, "tdf": true,
	"template": true, "vcpus": true, "snaptime": true,
}

// hiddenPassword is shown for any password.
const hiddenPassword = "**********"

// shownValue is a value of a configuration with its JSON type.
func shownValue(key, value string) any {
	switch {
	case key == "cipassword":
		return hiddenPassword
	case numericKeys[key]:
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	case value == "":
		return " "
	}
	return value
}

func shownSection(s section) map[string]any {
	shown := map[string]any{}
	for key, value := range s {
		shown[key] = shownValue(key, value)
	}
	return shown
}

// vmIndex answers for any number, whether or not there is such a VM.
func vmIndex(*request) (any, error) {
	return subdirs("subdir", "config", "cloudinit", "pending", "status", "unlink", "vncproxy", "termproxy", "migrate", "resize", "move",
		"rrd", "rrddata", "monitor", "agent", "snapshot", "spiceproxy", "sendkey", "firewall", "mtunnel", "remote_migrate"), nil
}

// vmConfig shows the configuration with what waits, or that in use, or that of a snapshot.
func vmConfig(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if name := r.p["snapshot"]; name != "" {
		if r.p.flag("current") {
			return nil, wrongParam("snapshot", "cannot use 'snapshot' parameter with 'current'")
		}
		s := m.snapshots[name]
		if s == nil {
			return nil, die("snapshot '%s' does not exist", name)
		}
		shown := shownSection(s.config)
		shown["digest"] = m.digest()
		return shown, nil
	}
	s := maps.Clone(m.config)
	if !r.p.flag("current") {
		maps.Copy(s, m.pending)
		for key := range m.deletions {
			delete(s, key)
		}
	}
	shown := shownSection(s)
	if m.template {
		shown["template"] = 1
	}
	shown["digest"] = m.digest()
	return shown, nil
}

// vmPending lists every key with its value in use and the one that waits.
func vmPending(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for key := range m.config {
		keys[key] = true
	}
	for key := range m.pending {
		keys[key] = true
	}
	for key := range m.deletions {
		keys[key] = true
	}
	rows := []map[string]any{{"key": "digest", "value": m.digest()}}
	for _, key := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		row := map[string]any{"key": key}
		if value, ok := m.config[key]; ok {
			row["value"] = shownValue(key, value)
		}
		if value, ok := m.pending[key]; ok {
			row["pending"] = shownValue(key, value)
			if key == "cipassword" {
				row["pending"] = hiddenPassword + " "
			}
		}
		if force, ok := m.deletions[key]; ok {
			row["delete"] = 1
			if force {
				row["delete"] = 2
			}
		}
		rows = append(rows, row)
	}
	if m.template {
		rows = append(rows, map[string]any{"key": "template", "value": 1})
	}
	return rows, nil
}
