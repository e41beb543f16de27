package proxmox

import (
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

const (
	efiSlot = "efidisk0"
	tpmSlot = "tpmstate0"
)

// firmware is BIOS or UEFI with a volume of its variables, in which the keys of secure boot are enrolled or not,
// and the TPM with a volume of its state.
func (e *edit) firmware() error {
	to := e.to
	uefi := value(to.Firmware) == "uefi"
	switch {
	case to.Firmware != nil && !uefi && *to.Firmware != "bios":
		return invalid("firmware", `%q is neither "bios" nor "uefi"`, *to.Firmware)
	case value(e.asked.SecureBoot) && !uefi:
		return invalid("secure_boot", `secure boot needs firmware = "uefi"`)
	}
	if changed(e.from.Firmware, to.Firmware) && (e.from.Firmware != nil || uefi) {
		bios := "seabios"
		if uefi {
			bios = "ovmf"
		}
		e.set("bios", bios, "firmware")
	}
	if err := e.efiDisk(uefi); err != nil {
		return err
	}
	return e.tpm()
}

// efiDisk keeps the volume of variables that there is, unless secure boot is switched: keys are enrolled only when
// it is made.
func (e *edit) efiDisk(uefi bool) error {
	text, have := e.cfg[efiSlot]
	had := vmconf.ParseDrive(text)
	secure := value(e.to.SecureBoot) && uefi
	if have && (!uefi && changed(e.from.Firmware, e.to.Firmware) || uefi && changed(e.from.SecureBoot, e.asked.SecureBoot) && had.Bool("pre-enrolled-keys", false) != secure) {
		e.dropState(efiSlot, "firmware")
		have = false
	}
	if !uefi {
		return nil
	}
	if secure && changed(e.from.SecureBoot, e.asked.SecureBoot) && !e.next.IsQ35() {
		if e.wanted().Machine != nil {
			return invalid("proxmox.machine", "secure boot needs the machine type q35, which keeps the guest from the firmware's memory")
		}
		e.setMachine("q35", "secure_boot")
	}
	if have || !e.creating() && !changed(e.from.Firmware, e.to.Firmware) && !changed(e.from.SecureBoot, e.asked.SecureBoot) {
		return nil
	}
	drive, err := e.stateDisk("firmware")
	if err != nil {
		return err
	}
	e.set(efiSlot, drive.Put("efitype", "4m").Put("pre-enrolled-keys", vmconf.Flag(secure)).String(), "firmware")
	return nil
}

func (e *edit) tpm() error {
	want := value(e.asked.TPM)
	if !changed(e.from.TPM, e.asked.TPM) || e.from.TPM == nil && !want {
		return nil
	}
	if _, have := e.cfg[tpmSlot]; have {
		if want { // there is one, of the version 1.2
			return backends.Errorf(backends.Precondition, "", "", "the VM has a TPM of the version 1.2, whose state, and all that the guest has sealed with it, would be lost").At("tpm").
				Advise("Leave tpm out. To give the VM one of the version 2.0, free the guest from the old one first (suspend BitLocker), and remove that in Proxmox VE.")
		}
		e.dropState(tpmSlot, "tpm")
	}
	if !want {
		return nil
	}
	drive, err := e.stateDisk("tpm")
	if err != nil {
		return err
	}
	e.set(tpmSlot, drive.Without("format").Put("version", "v2.0").String(), "tpm") // Proxmox VE chooses it
	return nil
}

// stateDisk is a small volume beside the disk root. Its size is Proxmox VE's own.
func (e *edit) stateDisk(path backends.Path) (vmconf.Drive, error) {
	storage := value(e.to.Disks[rootKey].Storage)
	if slot := e.plan.Slots[rootKey]; storage == "" && slot != "" {
		storage = e.next.Drive(slot).Storage()
	}
	facts, ok := e.World.Storages[storage]
	if storage == "" || !ok && e.World.Storages != nil {
		name, found, err := e.storageFor(backends.Disk{}, path)
		if err != nil {
			return vmconf.Drive{}, err
		}
		storage, facts = name, found
	}
	return vmconf.NewDrive(storage+":1").Put("format", facts.formatOn(backends.Disk{})), nil
}

// dropState takes a volume of firmware variables or TPM state away, for good.
func (e *edit) dropState(slot string, path backends.Path) {
	volume := e.cfg.Drive(slot).Volume()
	e.plan.Detach = append(e.plan.Detach, detach{
		Slot: slot, Volume: volume, Delete: vmconf.ParseVolume(volume).Owner() == e.VMID, Path: path,
	})
	delete(e.next, slot)
}

func (h *hardware) observeFirmware(s *backends.VMSpec) {
	s.Firmware, s.SecureBoot = new("bios"), new(false)
	if h.Config["bios"] == "ovmf" {
		s.Firmware = new("uefi")
		s.SecureBoot = new(h.Config.Drive(efiSlot).Bool("pre-enrolled-keys", false))
	}
	_, tpm := h.Config[tpmSlot]
	s.TPM = new(tpm && h.Config.Drive(tpmSlot).Get("version") == "v2.0")
}
