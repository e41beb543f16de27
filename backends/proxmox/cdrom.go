package proxmox

import (
	"slices"
	"strconv"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

const (
	cdromSlot   = "ide2" // where people expect the CD-ROM
	seedSlot    = "ide0" // takes drives on q35, too, as ide2 does
	emptyDrive  = "none"
	cdromOption = "media"
)

// mediaSlots are the places for a drive of media, the best first. In a running VM only the SCSI bus takes one.
func (e *edit) mediaSlots(best string) []string {
	var slots []string
	if !e.Running {
		slots = []string{best, seedSlot, "ide1", "ide3", cdromSlot, "sata5", "sata4", "sata3"}
	}
	for i := vmconf.BusSize("scsi") - 1; i > 0; i-- {
		slots = append(slots, "scsi"+strconv.Itoa(i))
	}
	if e.Running {
		slots = append(slots, best)
	}
	return slots
}

// freeMediaSlot is a place for a new drive of media, or "".
func (e *edit) freeMediaSlot(best string) string {
	for _, slot := range e.mediaSlots(best) {
		if e.isFree(slot) {
			return slot
		}
	}
	return ""
}

// cdromDrive is the key of the drive that is the user's, or "".
func (h *hardware) cdromDrive() string {
	seed := ""
	if m := h.marked().Seed; m != nil {
		seed = m.Slot
	}
	drives := slices.DeleteFunc(h.Config.Drives(), func(slot string) bool {
		d := h.Config.Drive(slot)
		return !d.IsCDROM() || d.IsCloudInit() || slot == seed
	})
	switch {
	case len(drives) == 0:
		return ""
	case slices.Contains(drives, cdromSlot):
		return cdromSlot
	}
	return drives[0]
}

// cdrom puts an ISO file into the drive, or takes it out.
func (e *edit) cdrom() error {
	want := e.asked.CDROM
	if want == nil {
		return nil
	}
	slot := ""
	if e.Have != nil {
		slot = e.Have.cdromDrive()
	}
	medium := want.ISO
	switch {
	case slot == "" && medium == "":
		return nil
	case medium == "":
		medium = emptyDrive
	case vmconf.ParseVolume(medium).Storage == "" && medium != "cdrom":
		return backends.Errorf(backends.NotFound, "", "", `there is no ISO %q: ids are those of volumes, such as "local:iso/debian.iso"`, medium).At("cdrom.iso")
	}
	if slot == "" {
		if slot = e.freeMediaSlot(cdromSlot); slot == "" {
			return invalid("cdrom", "the VM has no place for a drive")
		}
	}
	drive := e.cfg.Drive(slot)
	if drive.Volume() == medium {
		return nil
	}
	e.set(slot, vmconf.NewDrive(medium).Put(cdromOption, "cdrom").String(), "cdrom.iso")
	return nil
}

func (h *hardware) observeCDROM(s *backends.VMSpec) {
	slot := h.cdromDrive()
	if slot == "" {
		return
	}
	s.CDROM = &backends.CDROM{ISO: h.Config.Drive(slot).Volume()}
	if s.CDROM.ISO == emptyDrive {
		s.CDROM.ISO = ""
	}
}
