package apischema

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		version            int
		method, path, want string
		vars               map[string]string
		known              bool
	}{
		{8, "GET", "/version", "/version", nil, true},
		{8, "GET", "/nodes/pve1/qemu/100/config", "/nodes/{node}/qemu/{vmid}/config", map[string]string{"node": "pve1", "vmid": "100"}, true},
		{8, "GET", "/nodes/pve1/storage/local/content/local:iso/x.iso", "/nodes/{node}/storage/{storage}/content/{volume}", map[string]string{"volume": "local:iso/x.iso"}, true},
		{8, "DELETE", "/cluster/firewall/ipset/a/10.0.0.0/8", "/cluster/firewall/ipset/{name}/{cidr}", map[string]string{"cidr": "10.0.0.0/8"}, true},
		{8, "PATCH", "/version", "", nil, true},
		{8, "GET", "/nosuch", "", nil, false},
		{8, "GET", "/cluster/ha/rules", "", nil, false},
		{9, "GET", "/cluster/ha/rules", "/cluster/ha/rules", nil, true},
	} {
		e, vars, known := Load(c.version).Find(c.method, c.path)
		if known != c.known || (e == nil) != (c.want == "") || (e != nil && e.Path != c.want) {
			t.Errorf("%d %s %s: %+v, known %v", c.version, c.method, c.path, e, known)
		}
		for k, v := range c.vars {
			if vars[k] != v {
				t.Errorf("%s: %s is %q, want %q", c.path, k, vars[k], v)
			}
		}
	}
}

func TestVersion9(t *testing.T) {
	e, _, _ := Load(9).Find("POST", "/nodes/pve1/qemu")
	_, errs := e.Verify(map[string]any{"node": "pve1", "vmid": 100, "ha-managed": true})
	if errs != nil {
		t.Errorf("version 9 refuses ha-managed: %v", errs)
	}
	if e, _, _ := Load(9).Find("PUT", "/storage/local"); e.Parameters["snapshot-as-volume-chain"] == nil || e.Parameters["maxfiles"] != nil {
		t.Error("the storage parameters are not those of version 9")
	}
}

func TestVerifyGivesPerlText(t *testing.T) {
	e, _, _ := Load(8).Find("POST", "/nodes/pve1/qemu")
	out, errs := e.Verify(map[string]any{"node": "pve1", "vmid": float64(100), "onboot": true, "kvm": false, "memory": "0256", "name": nil, "tags": []any{"a", "b"}})
	if errs != nil {
		t.Fatal(errs)
	}
	want := map[string]string{"node": "pve1", "vmid": "100", "onboot": "1", "kvm": "0", "memory": "0256", "tags": "a,b"}
	for k, v := range want {
		if out[k] != v {
			t.Errorf("%s is %q, want %q", k, out[k], v)
		}
	}
	if _, there := out["name"]; there {
		t.Error("a null parameter arrived")
	}
	exec, _, _ := Load(8).Find("POST", "/nodes/pve1/qemu/100/agent/exec")
	out, errs = exec.Verify(map[string]any{"node": "pve1", "vmid": "100", "command": []any{"sh", "-c", "true, false"}})
	if got := Split(out["command"]); errs != nil || len(got) != 3 || got[2] != "true, false" {
		t.Errorf("the command is %q, %v", got, errs)
	}
}

func TestParse(t *testing.T) {
	table := Load(8)
	for _, c := range []struct{ key, value, part, want string }{
		{"net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=yes", "model", "virtio"},
		{"net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=yes", "macaddr", "BC:24:11:00:00:01"},
		{"net0", "virtio,firewall=yes", "firewall", "1"},
		{"scsi3", "local:1,format=qcow2", "file", "local:1"},
		{"scsi3", "volume=local:1", "file", "local:1"},
		{"agent", "1,type=isa", "enabled", "1"},
		{"ipconfig0", "ip=dhcp", "ip", "dhcp"},
	} {
		parts, err := table.ParseKey("qemu", c.key, c.value)
		if err != nil || parts[c.part] != c.want {
			t.Errorf("%s: %s has %v, %v; want %s=%s", c.key, c.value, parts, err, c.part, c.want)
		}
	}
	for key, value := range map[string]string{"net0": "virtio=BC:24:11:00:00:01,model=e1000", "scsi0": "local:1,local:2", "agent": "1,=2", "name": "x"} {
		if parts, err := table.ParseKey("qemu", key, value); err == nil {
			t.Errorf("%s: %s gives %v", key, value, parts)
		}
	}
}

func TestNumberedFamilies(t *testing.T) {
	for key, there := range map[string]bool{
		"net31": true, "net32": false, "scsi30": true, "scsi31": false, "scsi03": false, "ide4": false, "unused255": true, "net[n]": false, "net": false,
	} {
		if got := Load(8).ConfigKey("qemu", key) != nil; got != there {
			t.Errorf("%s is known: %v", key, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ method, path, name, value, want string }{
		{"POST", "/nodes/n/qemu/100/migrate", "targetstorage", "aa:bb,!", "invalid format - entry '!' contains invalid ID - storage ID '!' contains illegal characters\n\n\n"},
		{"PUT", "/nodes/n/qemu/100/config", "startup", "", "invalid format - unable to parse startup options\n"},
		{"PUT", "/nodes/n/qemu/100/config", "affinity", "x", "invalid format - unable to parse cpu-range 'x'\n"},
		{"PUT", "/nodes/n/qemu/100/config", "scsi0", "local:1,size=x", "invalid format - format error\nscsi0.size: invalid format - value does not look like a valid disk size: x\n\n"},
		{"PUT", "/nodes/n/qemu/100/config", "scsi0", "local:1,local:2", "invalid format - duplicate key in comma-separated list property: file\n"},
		{"PUT", "/nodes/n/qemu/100/config", "net0", "virtio,bridge=", "invalid format - missing key in comma-separated list property\n"},
		{"PUT", "/nodes/n/qemu/100/config", "net0", "virtio=BC:24:11:00:00:01,model=e1000", "invalid format - duplicate key in comma-separated list property: model\n"},
		{"PUT", "/nodes/n/qemu/100/config", "name", "ä", "invalid format - value does not look like a valid DNS name\n"},
		{"POST", "/cluster/ha/rules", "affinity", "positive", "property is not defined in schema and the schema does not allow additional properties"},
	} {
		e, vars, _ := Load(9).Find(c.method, c.path)
		in := map[string]any{c.name: c.value, "rule": "r1", "type": "node-affinity", "resources": "vm:100"}
		if c.path != "/cluster/ha/rules" {
			in = map[string]any{c.name: c.value}
		}
		for k, v := range vars {
			in[k] = v
		}
		if strings.HasSuffix(c.path, "/migrate") {
			in["target"] = "other"
		}
		if _, errs := e.Verify(in); len(errs) != 1 || errs[c.name] != c.want {
			t.Errorf("%s=%s gives %q, want %q", c.name, c.value, errs, c.want)
		}
	}
}

func TestPatternsCompile(t *testing.T) {
	for _, version := range []int{8, 9} {
		table := Load(version)
		look := func(at string, p *Property) {
			if p.Pattern != "" && perl(p.Pattern).String() == "" {
				t.Errorf("%d %s: the pattern %q accepts everything", version, at, p.Pattern)
			}
		}
		for _, e := range table.Endpoints() {
			for name, p := range e.Parameters {
				look(e.Route()+" "+name, p)
			}
		}
		for format, parts := range table.inline {
			for name, p := range parts {
				look(format+" "+name, p)
			}
		}
		for format, named := range table.named {
			for name, p := range named.Properties {
				look(format+" "+name, p)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("POST", "/nodes/pve1/qemu", "vmid=100,net0=virtio")
	f.Add("PUT", "/nodes/pve1/qemu/100/config", "scsi0=local:1,ssd=1")
	f.Add("GET", "/nodes/x/storage/y/content/a/b/c", "=")
	f.Add("POST", "/cluster/mapping/pci", "map=node=,path=\x00")
	f.Fuzz(func(t *testing.T, method, path, words string) {
		e, vars, _ := Load(9).Find(method, path)
		if e == nil {
			e, vars, _ = Load(8).Find("POST", "/nodes/pve1/qemu")
		}
		in := map[string]any{}
		for k, v := range vars {
			in[k] = v
		}
		for name := range e.Parameters {
			if len(name)%3 == len(words)%3 {
				in[strings.Replace(name, "[n]", "0", 1)] = words
			}
		}
		key, value, _ := strings.Cut(words, "=")
		in[key] = value
		out, errs := e.Verify(in)
		if (out == nil) == (errs == nil) {
			t.Errorf("%s: both or neither of %v and %v", e.Route(), out, errs)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0")
	f.Add("cpu", "host,flags=+aes;-pcid")
	f.Fuzz(func(t *testing.T, key, value string) {
		parts, err := Load(8).ParseKey("qemu", key, value)
		if (parts == nil) == (err == nil) {
			t.Errorf("%s %q: both or neither of %v and %v", key, value, parts, err)
		}
	})
}
