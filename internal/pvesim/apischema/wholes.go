package apischema

import (
	"slices"
	"strings"
)

// wholes are checks of whole property strings, by format.
var wholes = map[string]func(t *Table, parts map[string]string) error{
	"pve-vm-cpu-conf": cpu,
	"prune-backups":   prune,
}

// cpuFlags are the CPU flags that a VM may set for itself.
var cpuFlags = []string{
	"md-clear", "pcid", "spec-ctrl", "ssbd", "ibpb", "virt-ssbd", "amd-ssbd", "amd-no-ssb", "pdpe1gb",
	"hv-tlbflush", "hv-evmcs", "aes", "nested-virt",
}

// models are the CPU models that are neither emulated by name nor in the list of models to report.
var models = []string{"host", "max", "x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4"}

// CPUModels are the names of the built-in CPU models.
func (t *Table) CPUModels() []string {
	names := slices.Clone(models)
	if p := t.named["pve-vm-cpu-conf"].Properties["reported-model"]; p != nil {
		for _, name := range p.Enum {
			if !slices.Contains(names, string(name)) {
				names = append(names, string(name))
			}
		}
	}
	slices.Sort(names)
	return names
}

// cpu refuses models that do not exist and flags that only a custom model may have.
func cpu(t *Table, parts map[string]string) error {
	name := parts["cputype"]
	if custom, is := strings.CutPrefix(name, "custom-"); is {
		return complaint("Custom cputype '%s' not found", custom)
	}
	if name != "" && !slices.Contains(t.CPUModels(), name) {
		return complaint("Built-in cputype '%s' is not defined (missing 'custom-' prefix?)", name)
	}
	if flags := parts["flags"]; flags != "" {
		for flag := range strings.SplitSeq(flags, ";") {
			if !slices.Contains(cpuFlags, strings.TrimLeft(flag, "+-")) {
				return complaint("VM-specific CPU flags must be a subset of: %s", strings.Join(cpuFlags, ", "))
			}
		}
	}
	if parts["reported-model"] != "" {
		return complaint("Property 'reported-model' not allowed in VM-specific CPU config.")
	}
	return nil
}

// prune refuses to keep all and yet only some.
func prune(_ *Table, parts map[string]string) error {
	if !truth(parts["keep-all"]) {
		return nil
	}
	for name, n := range parts {
		if name != "keep-all" && truth(n) {
			return complaint("keep-all cannot be set together with other options.")
		}
	}
	return nil
}
