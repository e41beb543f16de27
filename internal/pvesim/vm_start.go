package pvesim

import (
	"slices"
	"strings"
	"time"
)

// startTask is the work of a task that starts a VM.
func startTask(nodeName string, id int) func(w *worker) error {
	return func(w *worker) error {
		return w.workIn(nodeName, id, func(m *machine) error { return w.start(w, m) })
	}
}

// start starts a machine. It is called with mu and the lock of the machine's configuration held. The lock property
// "suspended" is no obstacle: the VM goes on where it was.
func (c *cluster) start(w *worker, m *machine) error {
	switch {
	case m.template:
		return die("you can't start a vm if it's a template")
	case m.config["lock"] == "backup" && m.running:
		m.paused = false
		return nil
	case m.config["lock"] != "" && m.config["lock"] != "suspended":
		return m.checkLock()
	case m.running:
		return die("VM %d already running", m.id)
	}
	resume := m.config["lock"] == "suspended" || m.config.set("vmstate")
	m.reboots = false
	if !resume {
		w.applyPending(nil, m, map[string]string{}, false)
	}
	if err := w.writeCloudInit(m); err != nil {
		return err
	}
	if resume {
		w.say("Resuming suspended VM")
	}
	if err := w.checkStart(m); err != nil {
		return err
	}
	if resume {
		if v := w.volume(m.node.name, m.config["vmstate"]); v != nil {
			_ = w.free(v)
		}
		for _, key := range []string{"lock", "vmstate", "runningmachine", "runningcpu"} {
			delete(m.config, key)
		}
	}
	c.run(m)
	return nil
}

// run makes a machine one that runs.
func (c *cluster) run(m *machine) {
	c.tasks.serial++
	m.running, m.paused, m.started, m.pid = true, false, time.Now(), 0x1500+c.tasks.serial
	c.guestStarted(m)
}

// checkStart is what keeps a VM from starting.
func (w *worker) checkStart(m *machine) error {
	conf, n := m.config, m.node
	if w.opts.NoKVM && conf["kvm"] != "0" {
		return die("KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS.")
	}
	if most := conf.num("sockets", 1) * conf.num("cores", 1); most > n.cpus {
		return die("MAX %d vcpus allowed per VM on this node", n.cpus)
	}
	if conf["bios"] == "ovmf" && !conf.set("efidisk0") {
		w.warn("no efidisk configured! Using temporary efivars disk.")
	}
	if err := conf.checkModules(); err != nil {
		return err
	}
	if err := w.checkUSB(m); err != nil {
		return err
	}
	for _, key := range conf.drives() {
		d := parseDrive(conf[key])
		if err := w.checkVolumeThere(m, d); err != nil {
			return err
		}
		if strings.HasPrefix(key, "scsi") && d.options["iothread"] == "1" && conf["scsihw"] != "virtio-scsi-single" {
			w.warn("iothread is only valid with virtio disk or virtio-scsi-single controller, ignoring")
		}
	}
	passed, err := w.choosePCI(m)
	if err != nil {
		return err
	}
	m.passed = passed
	return w.checkInterfaces(m)
}

// checkInterfaces refuses interfaces that the node cannot connect.
func (w *worker) checkInterfaces(m *machine) error {
	conf, n := m.config, m.node
	for _, key := range conf.nics() {
		if err := w.checkMTU(key, parseNIC(conf[key]), n); err != nil {
			return err
		}
	}
	for _, key := range conf.nics() {
		nic := parseNIC(conf[key])
		why := w.unconnectable(n, nic)
		if why == nil {
			continue
		}
		i := strings.TrimPrefix(key, "net")
		w.say("%s", text(why))
		w.say("qemu-system-x86_64: -netdev type=tap,id=%s,ifname=tap%di%s,script=/usr/libexec/qemu-server/pve-bridge,downscript=/usr/libexec/qemu-server/pve-bridgedown: network script /usr/libexec/qemu-server/pve-bridge failed with status 512", key, m.id, i)
		return die("start failed: QEMU exited with code 1")
	}
	return nil
}

// unconnectable says why a node cannot connect an interface: there is no such bridge, or it knows nothing of VLANs.
func (c *cluster) unconnectable(n *node, i nic) error {
	bridge := i.options["bridge"]
	if bridge != "" && !c.bridgeThere(n, bridge) {
		return die("bridge '%s' does not exist", bridge)
	}
	for _, b := range n.ifaces {
		if b.name == bridge && b.kind == "bridge" && b.options["bridge_vlan_aware"] != "1" && i.options["trunks"] != "" {
			return die("vlan aware feature need to be enabled to use trunks at /usr/share/perl5/PVE/Network.pm line 541.")
		}
	}
	return nil
}

// checkVolumeThere refuses a drive whose volume is not there.
func (w *worker) checkVolumeThere(m *machine, d drive) error {
	if d.storage() == "" {
		return nil
	}
	if _, err := w.usable(m.node.name, d.storage()); err != nil {
		return err
	}
	if w.volume(m.node.name, d.file) == nil {
		return die("volume '%s' does not exist", d.file)
	}
	return nil
}

// nics are the keys of the interfaces.
func (s section) nics() []string {
	var keys []string
	for key := range s {
		if isNIC(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// bridgeThere reports whether a node has a bridge, or the cluster a virtual network of that name.
func (c *cluster) bridgeThere(n *node, name string) bool {
	if slices.ContainsFunc(n.ifaces, func(i *iface) bool {
		return i.name == name && (i.kind == "bridge" || i.kind == "OVSBridge")
	}) {
		return true
	}
	return c.misc.sdn.vnets.running[name] != nil
}
