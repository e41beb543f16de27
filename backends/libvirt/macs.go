package libvirt

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// macTable knows which VM has which MAC address. libvirt has no call that tells, so
// every domain's definition is read once; later looks read only those that are new.
type macTable struct {
	mu   sync.Mutex
	of   map[rpc.UUID]ownedMACs // of the domains that exist
	held map[string]string      // taken by a creation or a change under way: MAC to VM name

	changes int // of definitions, so that who reads them knows what came in between
}

type ownedMACs struct {
	name  string
	macs  []string
	stale bool // the definition has changed since
}

// forget has the next look read a domain again. Until then it has what it had.
func (t *macTable) forget(uuid rpc.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if entry, known := t.of[uuid]; known {
		entry.stale = true
		t.of[uuid] = entry
	}
}

// refreshMACs brings the table up to date with the list of domains.
func (b *Backend) refreshMACs(ctx context.Context) error {
	b.macs.mu.Lock()
	before := b.macs.changes
	b.macs.mu.Unlock()
	list, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Domain, error) {
		list, _, err := l.ConnectListAllDomains(1, 0)
		return list, err
	})
	if err != nil {
		return err
	}
	exists := make(map[rpc.UUID]bool, len(list))
	var unknown []runtimeFacts
	b.macs.mu.Lock()
	for _, d := range list {
		exists[d.UUID] = true
		if entry, known := b.macs.of[d.UUID]; !known || entry.stale {
			unknown = append(unknown, runtimeFacts{dom: d})
		}
	}
	for uuid := range b.macs.of {
		if !exists[uuid] && b.macs.changes == before {
			delete(b.macs.of, uuid)
		}
	}
	b.macs.mu.Unlock()

	domains, errs := b.readDomains(ctx, unknown)
	b.macs.mu.Lock()
	defer b.macs.mu.Unlock()
	if b.macs.of == nil {
		b.macs.of = map[rpc.UUID]ownedMACs{}
	}
	for i, u := range unknown {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errs[i] != nil {
			continue // gone, or unreadable: then nothing can be said of its addresses
		}
		entry := ownedMACs{name: u.dom.Name}
		for j := range domains[i].xml.Devices.Interfaces {
			entry.macs = append(entry.macs, macOf(&domains[i].xml.Devices.Interfaces[j]))
		}
		if b.macs.changes != before { // perhaps of this one, after it was read
			entry.stale = true
			entry.macs = append(entry.macs, b.macs.of[u.dom.UUID].macs...)
		}
		b.macs.of[u.dom.UUID] = entry
	}
	return nil
}

// takeMACs reserves the addresses asked for, by NIC key, and makes one for each NIC that asks
// for none. Another VM's address is a Conflict. The function returned ends the
// reservation: it is for when the VM's definition has the addresses, or never will.
func (b *Backend) takeMACs(ctx context.Context, name string, self rpc.UUID, nics map[string]backends.NIC) (macs map[string]string, release func(), err error) {
	if len(nics) == 0 {
		return nil, func() {}, nil
	}
	if err := b.refreshMACs(ctx); err != nil {
		return nil, nil, err
	}
	if macs, err = b.macs.take(name, self, nics); err != nil {
		return nil, nil, err
	}
	return macs, func() { b.macs.release(name, self, macs) }, nil
}

// take reserves addresses for a VM.
func (t *macTable) take(name string, self rpc.UUID, nics map[string]backends.NIC) (map[string]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := map[string]string{}
	for uuid, entry := range t.of {
		if uuid == self {
			continue
		}
		for _, mac := range entry.macs {
			taken[mac] = entry.name
		}
	}
	for mac, vm := range t.held {
		if vm != name {
			taken[mac] = vm
		}
	}
	macs := map[string]string{}
	for key, nic := range nics {
		if nic.MAC == nil {
			continue
		}
		mac := normalMAC(*nic.MAC)
		if vm, is := taken[mac]; is {
			return nil, backends.Errorf(backends.Conflict, "", "", "the MAC address %s belongs to VM %q", mac, vm).
				At(backends.Path("networks").Key(key).Attr("mac")).
				Advise("Choose another address, or leave mac unset to have one made.")
		}
		macs[key] = mac
		taken[mac] = name
	}
	for key, nic := range nics {
		if nic.MAC != nil {
			continue
		}
		mac := randomMAC()
		for taken[mac] != "" {
			mac = randomMAC()
		}
		macs[key] = mac
		taken[mac] = name
	}
	if t.held == nil {
		t.held = map[string]string{}
	}
	for _, mac := range macs {
		t.held[mac] = name
	}
	return macs, nil
}

// release ends a reservation. The VM keeps the addresses until its definition is read
// again: whoever looked just before does not take them for free.
func (t *macTable) release(name string, self rpc.UUID, macs map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if t.of == nil {
		t.of = map[rpc.UUID]ownedMACs{}
	}
	entry := t.of[self]
	all := slices.Clone(entry.macs)
	for _, mac := range macs {
		delete(t.held, mac)
		all = append(all, mac)
	}
	t.of[self] = ownedMACs{name: name, macs: all, stale: true}
}

// randomMAC makes an address in the range that QEMU uses.
func randomMAC() string {
	var r [3]byte
	_, _ = rand.Read(r[:]) // never fails
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", r[0], r[1], r[2])
}
