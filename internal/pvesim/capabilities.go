package pvesim

import (
	"strings"
)

// processorModels are the models that Proxmox VE has, by vendor.
var processorModels = map[string]string{
	"AuthenticAMD": "EPYC EPYC-Genoa EPYC-IBPB EPYC-Milan EPYC-Milan-v2 EPYC-Rome EPYC-Rome-v2 EPYC-Rome-v3 EPYC-Rome-v4 " +
		"EPYC-v3 EPYC-v4 Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5 athlon phenom",
	"GenuineIntel": "486 Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Cascadelake-Server " +
		"Cascadelake-Server-noTSX Cascadelake-Server-v2 Cascadelake-Server-v4 Cascadelake-Server-v5 Conroe " +
		"Cooperlake Cooperlake-v2 GraniteRapids Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS " +
		"Icelake-Client Icelake-Client-noTSX Icelake-Server Icelake-Server-noTSX Icelake-Server-v3 " +
		"Icelake-Server-v4 Icelake-Server-v5 Icelake-Server-v6 IvyBridge IvyBridge-IBRS KnightsMill Nehalem " +
		"Nehalem-IBRS Penryn SandyBridge SandyBridge-IBRS SapphireRapids SapphireRapids-v2 Skylake-Client " +
		"Skylake-Client-IBRS Skylake-Client-noTSX-IBRS Skylake-Client-v4 Skylake-Server Skylake-Server-IBRS " +
		"Skylake-Server-noTSX-IBRS Skylake-Server-v4 Skylake-Server-v5 Westmere Westmere-IBRS core2duo " +
		"coreduo pentium pentium2 pentium3",
	"default": "host kvm32 kvm64 max qemu32 qemu64 x86-64-v2 x86-64-v2-AES x86-64-v3 x86-64-v4",
}

// machineVersions are the versions of a type of machine, newest first.
var machineVersions = map[string]string{
	"q35": "7.2 7.1 7.0 6.2 6.1 6.0 5.2 5.1 5.0 4.2 4.1+pve2 4.1+pve1 4.1 4.0 3.1 3.0 2.9 2.8 2.7 2.6 2.5 2.4 2.12 2.11 " +
		"2.10",
	"i440fx": "7.2 7.1 7.0 6.2 6.1 6.0 5.2 5.1 5.0 4.2 4.1+pve2 4.1+pve1 4.1 4.0 3.1 3.0 2.9 2.8 2.7 2.6 2.5 2.4 2.3 2.2 2.12 " +
		"2.11 2.10 2.1 2.0 1.7 1.6 1.5 1.4",
}

// newerVersions come before them where Proxmox VE is of version 9.
const newerVersions = "10.1 10.0 9.2 9.1 9.0 8.2 8.1 8.0 "

func init() {
	const base = "/nodes/{node}/capabilities"
	handle("GET "+base, index("name", "qemu"))
	handle("GET "+base+"/qemu", func(r *request) (any, error) {
		if r.opts.Version >= 9 {
			return subdirs("name", "cpu", "cpu-flags", "machines", "migration"), nil
		}
		return subdirs("name", "cpu", "machines"), nil
	})
	handle("GET "+base+"/qemu/cpu", listProcessors)
	handle("GET "+base+"/qemu/cpu-flags", func(*request) (any, error) {
		return []any{map[string]any{"name": "aes", "description": "Activate AES instruction set for HW acceleration."}}, nil
	})
	handle("GET "+base+"/qemu/machines", listMachines)
	handle("GET "+base+"/qemu/migration", func(*request) (any, error) { return map[string]any{"has-dbus-vmstate": 1}, nil })
}

func listProcessors(*request) (any, error) {
	list := []map[string]any{}
	for vendor, names := range processorModels {
		for name := range strings.FieldsSeq(names) {
			list = append(list, map[string]any{"name": name, "vendor": vendor, "custom": 0})
		}
	}
	return list, nil
}

func listMachines(r *request) (any, error) {
	changes := map[string]string{
		"4.1+pve1": "Introduction of pveX versioning, no changes.", "4.1+pve2": "Increases the number of SCSI drives supported.",
	}
	list := []map[string]any{}
	for _, kind := range []string{"q35", "i440fx"} {
		versions := machineVersions[kind]
		if r.opts.Version >= 9 {
			versions = newerVersions + versions
		}
		for v := range strings.FieldsSeq(versions) {
			one := map[string]any{"id": "pc-" + kind + "-" + v, "type": kind, "version": v}
			if changes[v] != "" {
				one["changes"] = changes[v]
			}
			list = append(list, one)
		}
	}
	return list, nil
}
