package proxmox

import (
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// The forms of names, as the catalogue has plans check them.
var (
	spelled      = catalogues.Proxmox().Spelled
	dnsName      = spelled["name"].Form
	tagForm      = spelled["tags"].Form
	snapshotName = spelled[backends.SnapshotName].Form
)

// general is name, tags, guest operating system and what only the mark keeps.
func (e *edit) general() error {
	from, to := e.from, e.to
	if e.creating() || to.Name != from.Name {
		if !dnsName.MatchString(to.Name) || len(to.Name) > 253 {
			return invalid("name", "%q is no name that Proxmox VE takes: letters, digits and hyphens, with dots between parts, as in DNS", to.Name)
		}
		e.set("name", to.Name, "name")
	}
	if e.creating() && e.UUID != "" {
		e.set("smbios1", "uuid="+e.UUID, "name")
	}
	lower := map[string]string{}
	for _, tag := range e.asked.Tags {
		if other, twice := lower[strings.ToLower(tag)]; twice && other != tag {
			return invalid("tags", "%q and %q are one tag to Proxmox VE", other, tag)
		}
		lower[strings.ToLower(tag)] = tag
		if !tagForm.MatchString(tag) {
			return invalid("tags", "%q is no tag that Proxmox VE takes: letters, digits and _ - + .", tag)
		}
	}
	if e.asked.Tags != nil {
		// What a VM was created with, Proxmox VE keeps as it was written; what is set later becomes lower case.
		have := vmconf.ParseTags(e.cfg["tags"])
		if text := vmconf.FormatTags(e.asked.Tags); text != strings.Join(have, ";") && !sameTags(e.asked.Tags, have) {
			e.set("tags", text, "tags")
		}
		e.mark.Tags = nil
		for _, tag := range e.asked.Tags {
			if tag != strings.ToLower(tag) { // Proxmox VE keeps lower case
				e.mark.Tags = append(e.mark.Tags, tag)
			}
		}
		slices.Sort(e.mark.Tags)
	}
	if e.asked.Settings != nil {
		e.mark.Settings = *e.asked.Settings
	}
	return e.guestOS()
}

// sameTags reports whether a VM has just these tags, in any order.
func sameTags(asked, have []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(asked))), have)
}

// osTypes are Proxmox VE's own (qemu-server).
var osTypes = []string{"other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "l24", "l26", "solaris"}

// families are the portable ones, with the type of a new VM.
var families = map[string]string{"linux": "l26", "windows": "win11", "other": "other"}

// familyOf is the portable family of a type.
func familyOf(ostype string) string {
	switch {
	case strings.HasPrefix(ostype, "w"):
		return "windows"
	case strings.HasPrefix(ostype, "l2"):
		return "linux"
	}
	return "other"
}

func (e *edit) guestOS() error {
	if !changed(e.from.GuestOS, e.asked.GuestOS) {
		return nil
	}
	want := *e.asked.GuestOS
	e.mark.GuestOS = want
	if ostype, portable := families[want]; portable {
		if e.creating() || familyOf(e.ostype()) != want {
			e.set("ostype", ostype, "guest_os")
		}
		return nil
	}
	if !slices.Contains(osTypes, want) {
		return invalid("guest_os", `%q is none of "linux", "windows", "other" and Proxmox VE's own: %s`, want, strings.Join(osTypes, ", "))
	}
	e.set("ostype", want, "guest_os")
	return nil
}

func (e *edit) ostype() string {
	if t := e.cfg["ostype"]; t != "" {
		return t
	}
	return "other"
}

func (h *hardware) observeGeneral(s *backends.VMSpec) {
	_, text, err := readMark(h.Config["description"], h.VMID)
	if err != nil {
		text = h.Config["description"]
	}
	s.Description = &text
	s.Tags = vmconf.ParseTags(h.Config["tags"])
	for i, tag := range s.Tags {
		for _, asked := range h.marked().Tags {
			if strings.EqualFold(tag, asked) {
				s.Tags[i] = asked
			}
		}
	}
	slices.Sort(s.Tags)
	s.GuestOS = new(observeGuestOS(h.Config["ostype"], h.marked().GuestOS))
	if settings := h.marked().Settings; settings != "" {
		s.Settings = &settings
	}
	s.CreateToken = h.marked().Token
	if h.Node != "" {
		s.Placement.Host = new(h.Node)
	}
	s.Placement.Pool = new(h.Pool)
	if storage := h.marked().Storage; storage != "" {
		s.Placement.Storage = &storage
	}
}

// observeGuestOS tells a type by the word that was asked for, as long as it means that.
func observeGuestOS(ostype, asked string) string {
	if ostype == "" {
		ostype = "other"
	}
	if _, portable := families[asked]; asked == ostype || portable && familyOf(ostype) == asked {
		return asked
	}
	for family, usual := range families {
		if usual == ostype {
			return family
		}
	}
	return ostype
}

// placement is the node and the resource pool, which are no part of the configuration.
func (e *edit) placement() error {
	p := e.asked.Placement
	if p.Storage != nil {
		e.mark.Storage = *p.Storage
	}
	if e.creating() {
		if value(p.Pool) != "" {
			e.plan.Pool = p.Pool
		}
		return nil
	}
	if changed(e.from.Placement.Pool, p.Pool) {
		e.plan.Pool = p.Pool
	}
	if changed(e.from.Placement.Host, p.Host) {
		e.plan.Node = p.Host
	}
	return nil
}
