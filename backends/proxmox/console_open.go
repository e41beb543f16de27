package proxmox

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// spiceLife is how long Proxmox VE's proxy for SPICE takes a ticket.
const spiceLife = 30 * time.Second

// viewer begins the address of what remote-viewer opens.
const viewer = "data:application/x-virt-viewer;base64,"

// Console says where a running VM's console answers.
//
// A screen by VNC and a serial terminal are pages of Proxmox VE's own, noVNC and xterm.js, which ask a browser for a login
// and make a ticket when they are opened: one that is made here would have to be used within ten seconds. A screen by SPICE is a file for
// remote-viewer, as a data URL, with a ticket in it.
func (b *Backend) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	const op = "open the console"
	s, err := b.look(ctx, id)
	if err != nil {
		return backends.Console{}, fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	c, err := b.console(ctx, id, s)
	return c, fault.Wrap(err, op, backends.VMObject(s.name()))
}

func (b *Backend) console(ctx context.Context, id backends.ID, s situation) (backends.Console, error) {
	if now := s.power(); now != backends.Running && now != backends.Paused {
		return backends.Console{}, backends.Errorf(backends.Precondition, "", "", "the VM is %s, and only one that runs has a console", now).
			Advise("%s", powerRemedy(now))
	}
	// What counts is the graphics card that the VM runs with, not one that waits for the next start.
	var running vmconf.Config
	path := pve.Path("nodes", s.node, "qemu", int64(s.VMID))
	err := b.on(ctx, id, func(node string, vmid int64) error {
		s.node, path = node, pve.Path("nodes", node, "qemu", vmid)
		var raw pve.Values
		err := b.conn.Get(ctx, path+"/config", url.Values{"current": {"1"}}, &raw)
		running = vmconf.Config(raw)
		return err
	})
	if err != nil {
		return backends.Console{}, err
	}
	switch kind := consoleOf(running.VGA()); kind {
	case "none":
		return backends.Console{}, backends.Errorf(backends.Precondition, "", "", "the VM has no console").At("console.type").
			Advise("Give it one: vnc, spice or serial.")
	case "spice":
		return b.spice(ctx, path)
	default:
		return backends.Console{Type: kind, URL: b.page(kind, s)}, nil
	}
}

// page is the address of a console in a browser, as the web interface opens it.
func (b *Backend) page(kind string, s situation) string {
	query := url.Values{
		"console": {"kvm"}, "vmid": {strconv.FormatInt(int64(s.VMID), 10)}, "vmname": {s.name()}, "node": {s.node},
	}
	if kind == "serial" {
		query.Set("xtermjs", "1")
	} else {
		query.Set("novnc", "1")
		query.Set("resize", "off")
	}
	return b.conn.Endpoint() + "/?" + query.Encode()
}

// spice asks for a ticket and makes the file that remote-viewer opens.
func (b *Backend) spice(ctx context.Context, path string) (backends.Console, error) {
	form := map[string]any{}
	if u, err := url.Parse(b.conn.Endpoint()); err == nil {
		form["proxy"] = u.Hostname() // the name that is known to answer from here
	}
	var answer pve.Values
	if err := b.conn.Post(ctx, path+"/spiceproxy", form, &answer); err != nil {
		return backends.Console{}, err
	}
	var file strings.Builder
	file.WriteString("[virt-viewer]\n")
	for _, key := range slices.Sorted(maps.Keys(answer)) {
		if value := answer[key]; !strings.ContainsAny(key+value, "\r\n") { // nothing may begin another line
			file.WriteString(key + "=" + value + "\n")
		}
	}
	return backends.Console{
		Type: "spice", URL: viewer + base64.StdEncoding.EncodeToString([]byte(file.String())), Password: answer["password"],
		Expires: time.Now().Add(spiceLife).Truncate(time.Second),
	}, nil
}
