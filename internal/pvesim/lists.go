package pvesim

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

func init() {
	handle("GET /", index("subdir", "version", "cluster", "nodes", "storage", "access", "pools"))
	handle("GET /nodes/{node}/scan", index("method", "cifs", "glusterfs", "iscsi", "lvm", "nfs", "pbs", "zfs"))
	handle("GET /cluster/notifications", index("name", "endpoints", "matcher-fields", "matcher-field-values", "matchers", "targets"))
	handle("GET /cluster/notifications/endpoints", index("name", "gotify", "sendmail", "smtp", "webhook"))

	for _, route := range strings.Fields("/nodes/{node}/services /nodes/{node}/disks/list /nodes/{node}/hardware/usb /nodes/{node}/aplinfo " +
		"/cluster/notifications/targets /cluster/notifications/matcher-fields /cluster/notifications/matcher-field-values " +
		"/nodes/{node}/replication") {
		handle("GET "+route, func(*request) (any, error) { return []any{}, nil })
	}
	handle("GET /nodes/{node}/dns", func(r *request) (any, error) { return r.nodeSettings().show(), nil })
	handle("PUT /nodes/{node}/dns", func(r *request) (any, error) {
		for _, key := range []string{"search", "dns1", "dns2", "dns3"} {
			delete(r.nodeSettings(), key)
		}
		r.nodeSettings().change(r.p, "node")
		return nil, nil
	})
	handle("GET /nodes/{node}/hosts", nodeHosts)
	handle("GET /nodes/{node}/time", func(*request) (any, error) {
		now := time.Now().Unix()
		return map[string]any{"timezone": "Etc/UTC", "time": now, "localtime": now}, nil
	})
	handle("GET /nodes/{node}/syslog", func(r *request) (any, error) {
		one := 1
		r.total = &one
		return []any{map[string]any{"n": 1, "t": "-- No entries --"}}, nil
	})
	handle("GET /nodes/{node}/subscription", func(*request) (any, error) {
		return map[string]any{
			"status": "notfound", "message": "There is no subscription key", "serverid": "00000000000000000000000000000000",
			"url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
		}, nil
	})
	handle("GET /nodes/{node}/config", nodeConfig)
	handle("PUT /nodes/{node}/config", setNodeConfig)
	handle("GET /nodes/{node}/hardware/pci", listPCI)
	handle("GET /cluster/options", clusterOptions)
	handle("PUT /cluster/options", setClusterOptions)
}

// nodeSettings are the names of the DNS servers of a node.
func (r *request) nodeSettings() section {
	name := r.p["node"]
	if r.misc.dns[name] == nil {
		r.misc.dns[name] = section{"dns1": "192.0.2.53"}
	}
	return r.misc.dns[name]
}

func nodeHosts(r *request) (any, error) {
	text := "127.0.0.1 localhost\n"
	for i, n := range r.nodes {
		text += fmt.Sprintf("10.10.0.%d %s.example.invalid %s\n", i+2, n.name, n.name)
	}
	return map[string]any{"data": text, "digest": digestOf(section{"": text})}, nil
}

// nodeOptions are the options of a node.
func (r *request) nodeOptions() section {
	name := r.p["node"]
	if r.misc.nodeOptions[name] == nil {
		r.misc.nodeOptions[name] = section{}
	}
	return r.misc.nodeOptions[name]
}

func nodeConfig(r *request) (any, error) {
	s := r.nodeOptions()
	answer := s.show("startall-onboot-delay", "ballooning-target")
	if len(s) > 0 {
		answer["digest"] = digestOf(s)
	}
	if key := r.p["property"]; key != "" && key != "all" {
		one := map[string]any{}
		if v, ok := answer[key]; ok {
			one[key], one["digest"] = v, answer["digest"]
		}
		return one, nil
	}
	return answer, nil
}

func setNodeConfig(r *request) (any, error) {
	if err := r.sameDigest(digestOf(r.nodeOptions())); err != nil {
		return nil, err
	}
	r.nodeOptions().change(r.p, "node")
	return nil, nil
}

// listPCI are the devices of a node: one that no group of the IOMMU holds, one that can be handed to a VM.
func listPCI(r *request) (any, error) {
	skip := keyList(r.p["pci-class-blacklist"])
	list := []map[string]any{}
	for _, d := range []map[string]any{
		{
			"id": "0000:00:01.0", "class": "0xffff00", "vendor": "0x1af4", "device": "0x1045",
			"subsystem_vendor": "0x1af4", "subsystem_device": "0x1045", "iommugroup": -1,
		},
		{
			"id": "0000:01:00.0", "class": "0x030000", "vendor": "0x10de", "device": "0x1eb8", "vendor_name": "NVIDIA Corporation", "device_name": "TU104GL [Tesla T4]",
			"subsystem_vendor": "0x10de", "subsystem_device": "0x12a2", "iommugroup": 12,
		},
	} {
		skipped := false
		for _, class := range skip {
			class = "0x" + strings.TrimPrefix(class, "0x")
			skipped = skipped || strings.HasPrefix(d["class"].(string), class)
		}
		if !skipped {
			list = append(list, d)
		}
	}
	return list, nil
}

// clusterOptions are those of the cluster, with the few that are always shown.
// clusterOptions shows the options, all of them only to who may look at the cluster.
func clusterOptions(r *request) (any, error) {
	answer := r.misc.options.show("max_workers")
	answer["allowed-tags"] = keyList(r.misc.options["registered-tags"])
	if !r.may("/", "Sys.Audit") {
		maps.DeleteFunc(answer, func(key string, _ any) bool { return key != "console" && key != "tag-style" && key != "allowed-tags" })
		return answer, nil
	}
	if answer["mac_prefix"] == nil {
		answer["mac_prefix"] = "BC:24:11"
	}
	if answer["description"] == nil {
		answer["description"] = ""
	}
	return answer, nil
}

func setClusterOptions(r *request) (any, error) {
	r.misc.options.change(r.p)
	return nil, nil
}
