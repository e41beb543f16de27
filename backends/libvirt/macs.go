package libvirt

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// macTable knows which VM has which MAC address. libvirt has no call that tells, so
// every domain's definition is read once; later looks read only those that are new.
type macTable struct {
	mu   sync.Mutex
	of   map[rpc.UUID]ownedMACs // of the domains that exist
	held map[string]string      // taken by a creation under way: MAC to VM name
}

type ownedMACs struct {
	name string
	macs []string
}

// forget has the next look read a domain again.
func (t *macTable) forget(uuid rpc.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, uuid)
}

// refreshMACs brings the table up to date with the list of domains.
func (b *Backend) refreshMACs(ctx context.Context) error {
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
		if _, known := b.macs.of[d.UUID]; !known {
			unknown = append(unknown, runtimeFacts{dom: d})
		}
	}
	for uuid := range b.macs.of {
		if !exists[uuid] {
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
		b.macs.of[u.dom.UUID] = entry
	}
	return nil
}

// takeMACs reserves the addresses asked for, by NIC key, and makes one for each NIC that asks
// for none. Another VM's address is a Conflict. The function returned ends the
// reservation; by then the VM exists and holds its addresses itself.
func (b *Backend) takeMACs(ctx context.Context, name string, self rpc.UUID, nics map[string]backends.NIC) (macs map[string]string, release func(), err error) {
	release = func() {}
	if len(nics) == 0 {
		return nil, release, nil
	}
	if err := b.refreshMACs(ctx); err != nil {
		return nil, release, err
	}
	t := &b.macs
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
	macs = map[string]string{}
	for key, nic := range nics {
		if nic.MAC == nil {
			continue
		}
		mac := normalMAC(*nic.MAC)
		if vm, is := taken[mac]; is {
			return nil, release, backends.Errorf(backends.Conflict, "", "", "the MAC address %s belongs to VM %q", mac, vm).
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
	return macs, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, mac := range macs {
			delete(t.held, mac)
		}
	}, nil
}

// randomMAC makes an address in the range that QEMU uses.
func randomMAC() string {
	var r [3]byte
	_, _ = rand.Read(r[:]) // never fails
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", r[0], r[1], r[2])
}
