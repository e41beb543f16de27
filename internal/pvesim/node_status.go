package pvesim

import (
	"fmt"
	"time"
)

func init() {
	handle("GET /nodes", listNodes)
	handle("GET /nodes/{node}/status", nodeStatus)
}

// uptime is how long a node has been up, in seconds.
func (c *cluster) uptime(n *node) int64 { return int64(time.Since(n.booted).Seconds()) }

func listNodes(r *request) (any, error) {
	list := []map[string]any{}
	for _, n := range r.members() {
		row := r.nodeEntry(n)
		row["ssl_fingerprint"] = r.fingerprint
		list = append(list, row)
	}
	return list, nil
}

func nodeStatus(r *request) (any, error) {
	n := r.node(r.p["node"])
	stats := r.nodeStats(n)
	mem, _ := stats["mem"].(int64)
	version := r.version()
	kernel := "6.8.12-18-pve"
	if r.opts.Version > 8 {
		kernel = "6.17.4-1-pve"
	}
	const disk, free = int64(96 * gib), int64(88 * gib)
	memory := map[string]any{"total": n.memory, "used": mem, "free": n.memory - mem}
	if r.opts.Version > 8 {
		memory["available"] = n.memory - mem
	}
	return map[string]any{
		"uptime": stats["uptime"], "cpu": stats["cpu"], "wait": 0, "idle": 0, "loadavg": []string{"0.10", "0.12", "0.08"},
		"kversion":       "Linux " + kernel + " #1 SMP PREEMPT_DYNAMIC",
		"current-kernel": map[string]any{"sysname": "Linux", "release": kernel, "version": "#1 SMP PREEMPT_DYNAMIC", "machine": "x86_64"},
		"pveversion":     fmt.Sprintf("pve-manager/%s/%s", version["version"], version["repoid"]),
		"boot-info":      map[string]any{"mode": "efi", "secureboot": 0},
		"cpuinfo": map[string]any{
			"model": "AMD EPYC", "sockets": 1, "cores": n.cpus / 2, "cpus": n.cpus, "mhz": "2596.122", "user_hz": 100, "hvm": "1",
			"flags": "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx " +
				"pdpe1gb rdtscp lm svm aes avx avx2",
		},
		"memory": memory,
		"swap":   map[string]any{"total": int64(8 * gib), "used": int64(0), "free": int64(8 * gib)},
		"rootfs": map[string]any{"total": disk, "used": disk - free, "free": free, "avail": free},
		"ksm":    map[string]any{"shared": 0},
	}, nil
}
