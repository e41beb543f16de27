package pvesim

// bit is a boolean as Proxmox VE shows it.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// index is the answer that lists what is below a path; key is "name" or "subdir".
func index(key string, names ...string) handler {
	list := make([]map[string]any, len(names))
	for i, name := range names {
		list[i] = map[string]any{key: name}
	}
	return func(*request) (any, error) { return list, nil }
}

func init() {
	handle("GET /access", index("subdir", "users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password"))
	handle("GET /cluster", index("name", "acme", "backup", "backup-info", "ceph", "config", "firewall", "ha", "jobs", "log", "mapping",
		"metrics", "notifications", "nextid", "options", "replication", "resources", "status", "tasks", "sdn"))
	handle("GET /nodes/{node}", index("name", "aplinfo", "apt", "capabilities", "ceph", "certificates", "config", "disks", "dns",
		"firewall", "hardware", "hosts", "journal", "lxc", "migrateall", "netstat", "network", "qemu", "query-url-metadata",
		"replication", "report", "rrd", "rrddata", "scan", "services", "spiceshell", "startall", "status", "stopall", "storage",
		"subscription", "suspendall", "syslog", "tasks", "termproxy", "time", "version", "vncshell", "vzdump", "wakeonlan", "sdn"))
	handle("GET /nodes/{node}/tasks/{upid}", index("name", "log", "status"))
}
