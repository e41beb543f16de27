package pvesim

import (
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// mappedTo are the entries of a mapping that are for a node.
func (c *cluster) mappedTo(kind, name string, n *node) []string {
	return slices.DeleteFunc(apischema.Split(c.mapping(kind, name)["map"]), func(entry string) bool { return property(entry, "node", "") != n.name })
}

// choosePCI chooses the devices of the host that a VM gets when it starts, by their addresses, or says why it cannot have them:
// a device is for one VM at a time.
func (c *cluster) choosePCI(m *machine) (chosen []string, err error) {
	conf := m.config
	for i := range familyLimits["hostpci"] {
		key := numbered("hostpci", i)
		value := conf[key]
		if value == "" {
			continue
		}
		choices, err := c.choicesOfPCI(m, value)
		if err != nil {
			return nil, err
		}
		if property(value, "pcie", "") == "1" && !strings.Contains(property(conf["machine"], "type", "type"), "q35") {
			return nil, die("q35 machine model is not enabled at /usr/share/perl5/PVE/QemuServer/PCI.pm line 501.")
		}
		if property(value, "mdev", "") != "" {
			continue // each user gets a device of his own
		}
		var why error
		for _, devices := range choices {
			if why = c.freePCI(m, chosen, devices); why == nil {
				chosen = append(chosen, devices...)
				break
			}
		}
		switch {
		case why != nil && len(choices) > 1:
			return nil, die("could not find a free device for '%s'", key)
		case why != nil:
			return nil, why
		}
	}
	return chosen, nil
}

// choicesOfPCI are the devices that a hostpciN can be, each perhaps of several functions.
func (c *cluster) choicesOfPCI(m *machine, value string) (choices [][]string, err error) {
	name := property(value, "mapping", "")
	if name == "" {
		return [][]string{strings.Split(property(value, "host", "host"), ";")}, nil
	}
	entries := c.mappedTo("pci", name, m.node)
	if len(entries) == 0 {
		return nil, die("PCI device mapping not found for '%s'", name)
	}
	for _, entry := range entries {
		choices = append(choices, strings.Split(property(entry, "path", ""), ";"))
	}
	return choices, nil
}

// freePCI refuses devices that the VM has already, or another VM of the node that runs.
func (c *cluster) freePCI(m *machine, chosen, devices []string) error {
	for _, device := range devices {
		if slices.Contains(chosen, device) {
			return die("device '%s' assigned more than once", device)
		}
		for _, other := range c.machines {
			if other != m && other.node == m.node && other.running && slices.Contains(other.passed, device) {
				return die("PCI device '%s' already in use by VMID '%d'", device, other.id)
			}
		}
	}
	return nil
}

// checkUSB refuses mapped USB devices that are not at the node, or of which it has several.
func (c *cluster) checkUSB(m *machine) error {
	for i := range familyLimits["usb"] {
		name := property(m.config[numbered("usb", i)], "mapping", "")
		if name == "" {
			continue
		}
		switch entries := c.mappedTo("usb", name, m.node); {
		case len(entries) == 0:
			return die("USB device mapping not found for '%s'", name)
		case len(entries) > 1:
			return die("More than one USB mapping per host not supported")
		}
	}
	return nil
}

// checkMTU refuses an interface whose MTU its bridge does not have, and warns of one that nobody is told.
func (w *worker) checkMTU(key string, n nic, at *node) error {
	mtu, bridge := digits(n.options["mtu"]), n.options["bridge"]
	switch most := w.bridgeMTU(at, bridge); {
	case mtu == 0:
	case bridge == "":
		w.warn("netdev %s: ignoring MTU '%d', no bridge configured", key, mtu)
	case n.model != "virtio":
		w.warn("netdev %s: ignoring MTU '%d', not using VirtIO", key, mtu)
	case mtu == 1: // the bridge's
	case mtu < 576:
		return die("netdev %s: MTU '%d' is smaller than the IP minimum MTU '576'", key, mtu)
	case mtu > most:
		return die("netdev %s: MTU '%d' is bigger than the bridge MTU '%d' - adjust the MTU for the network device in the VM configuration, while ensuring that the bridge is configured as desired.", key, mtu, most)
	}
	return nil
}

// bridgeMTU is the MTU of a bridge of a node.
func (c *cluster) bridgeMTU(n *node, bridge string) int {
	for _, i := range n.ifaces {
		if mtu := digits(i.options["mtu"]); i.name == bridge && mtu > 0 {
			return mtu
		}
	}
	return 1500
}
