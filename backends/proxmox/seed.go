package proxmox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// wantsSeed reports whether a VM needs a seed: cloud_init is set, or what only cloud-init can give to the guest.
func wantsSeed(spec *backends.VMSpec) bool {
	if spec.CloudInit != nil || spec.DNS != nil || spec.Customization != nil || spec.Proxmox != nil && len(spec.Proxmox.Snippets) > 0 {
		return true
	}
	for _, nic := range spec.Networks {
		if nic.IPv4 != nil || nic.IPv6 != nil {
			return true
		}
	}
	return false
}

// seed gives the guest what cloud-init shall find: by Proxmox VE's own drive where that can express it, else by an ISO.
func (e *edit) seed() error {
	if err := e.checkSeed(); err != nil {
		return err
	}
	drive := ""
	if e.Have != nil {
		drive = e.Have.cloudInitDrive()
	}
	if !wantsSeed(e.to) && drive == "" && e.mark.Seed == nil {
		return nil
	}
	told, err := inputsOf(e.to)
	if err != nil {
		return err
	}
	same, err := e.sameSeed(told)
	if err != nil {
		return err
	}
	if same && drive != "" && maps.Equal(e.plan.NICs, e.seen.NICs) {
		return nil // what else it says is left alone
	}
	native, why := nativeSeed(e.to, e.plan.NICs)
	if e.to.Proxmox != nil && len(e.to.Proxmox.Snippets) > 0 && why != "" {
		return invalid("proxmox.snippets", "they replace what Proxmox VE makes for cloud-init, which cannot express %s: write that into the snippets", why)
	}
	if why == "" {
		return e.nativeDrive(native, told)
	}
	return e.seedISO(same, told, why)
}

var snippetKinds = []string{"meta", "network", "user", "vendor"}

func (e *edit) checkSeed() error {
	if ci := e.asked.CloudInit; ci != nil && ci.Datasource != nil && datasources[*ci.Datasource] == "" {
		return invalid("cloud_init.datasource", `%q is neither "nocloud" nor "configdrive"`, *ci.Datasource)
	}
	want := e.wanted().Snippets
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		if !slices.Contains(snippetKinds, kind) || vmconf.ParseVolume(want[kind]).Storage == "" || strings.ContainsAny(want[kind], ",=") {
			return invalid("proxmox.snippets", `%q = %q: it takes volumes such as "local:snippets/web.yaml" by %s`, kind, want[kind], strings.Join(snippetKinds, ", "))
		}
	}
	if want != nil && !maps.Equal(want, e.had().Snippets) {
		var p vmconf.Props
		for kind, volume := range want {
			p = p.Put(kind, volume)
		}
		e.set("cicustom", p.String(), "proxmox.snippets")
	}
	return nil
}

// inputsOf is what is kept of a seed's inputs, to be told back.
func inputsOf(spec *backends.VMSpec) ([]byte, error) {
	own := *spec // without what is no input
	seed, err := cloudinit.Render(cloudinit.Input{InstanceID: "i", Spec: &own})
	if err != nil {
		return nil, backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	return seed.Inputs, nil
}

// sameSeed reports whether the VM has these inputs already.
func (e *edit) sameSeed(told []byte) (bool, error) {
	if e.creating() || e.Have.marked().Seed == nil && e.Have.cloudInitDrive() == "" {
		return false, nil
	}
	had, err := inputsOf(e.from)
	return err == nil && bytes.Equal(had, told), err
}

// nativeDrive has Proxmox VE make the drive.
func (e *edit) nativeDrive(params vmconf.Config, told []byte) error {
	slot, iso := "", e.mark.Seed
	if e.Have != nil {
		slot = e.Have.cloudInitDrive()
	}
	if slot == "" {
		storage, err := e.seedStorage()
		if err != nil {
			return err
		}
		if iso != nil && iso.Volume != "" { // the drive gets another medium
			slot = iso.Slot
			e.free(iso)
		} else if slot = e.freeMediaSlot(seedSlot); slot == "" {
			return invalid("cloud_init", "the VM has no place for a drive with cloud-init data")
		}
		e.set(slot, storage+":cloudinit", "cloud_init")
	}
	if params["cipassword"] != "" && e.samePassword() {
		params["cipassword"] = e.cfg["cipassword"] // as it is told back: it is not sent
	}
	have := nativeOf(e.cfg)
	for key := range have {
		if _, stays := params[key]; !stays {
			e.set(key, "", "cloud_init")
		}
	}
	for key, text := range params {
		if have[key] != text && (key != "sshkeys" || !slices.Equal(vmconf.DecodeSSHKeys(have[key]), vmconf.DecodeSSHKeys(text))) {
			e.set(key, text, blameNative(key))
		}
	}
	return e.rememberSeed(&seedMark{Slot: slot}, told)
}

// blameNative is the attribute that a parameter of the native drive comes from.
func blameNative(key string) backends.Path {
	switch {
	case key == "nameserver" || key == "searchdomain":
		return "dns"
	case key == "sshkeys":
		return "cloud_init.ssh_authorized_keys"
	case strings.HasPrefix(key, "ipconfig"):
		return "networks"
	}
	return "cloud_init"
}

// samePassword reports whether the password that the VM has is the one that is asked for.
func (e *edit) samePassword() bool {
	from, to := e.from.CloudInit, e.to.CloudInit
	return e.cfg["cipassword"] != "" && from != nil && to != nil && len(from.Users) == 1 && len(to.Users) == 1 &&
		from.Users[0].PasswordHash == to.Users[0].PasswordHash
}

// seedStorage is where the native drive's volume lies: beside the disk root.
func (e *edit) seedStorage() (string, error) {
	drive, err := e.stateDisk("cloud_init")
	return drive.Storage(), err
}

// seedISO puts an ISO into a drive. It is made anew where its inputs changed, or what it says of the VM.
func (e *edit) seedISO(same bool, told []byte, why string) error {
	had := e.mark.Seed
	if ci := e.to.CloudInit; ci != nil && value(ci.Datasource) == "configdrive" {
		return invalid("cloud_init.datasource", "a configuration drive cannot express %s: leave the data source out, or use proxmox.snippets", why)
	}
	if same && had != nil && had.Volume != "" && !e.staleSeed() {
		return nil
	}
	if lost := e.lostInput(); lost != "" {
		if same {
			return nil // the ISO stays as it is
		}
		return backends.Errorf(backends.Precondition, "", "", "the cloud-init seed is made anew, and %s is not known any more", lost).
			At("cloud_init").Advise("Give it again; where it is write-only, raise cloud_init.user_data_wo_version.")
	}
	if e.SeedVolume == "" {
		return backends.Errorf(backends.Precondition, "", "", "Proxmox VE's own cloud-init drive cannot express %s, and no storage of the node takes an ISO file with a seed", why).
			At("cloud_init").Advise("Switch on the content type ISO image of a storage, or write the data into proxmox.snippets.")
	}
	slot := ""
	switch {
	case had != nil && had.Volume != "":
		slot = had.Slot
		e.free(had)
	case e.Have != nil && e.Have.cloudInitDrive() != "":
		slot = e.Have.cloudInitDrive() // the drive gets another medium
		e.plan.Free = append(e.plan.Free, e.cfg.Drive(slot).Volume())
	default:
		if slot = e.freeMediaSlot(seedSlot); slot == "" {
			return invalid("cloud_init", "the VM has no place for a drive with cloud-init data")
		}
	}
	e.set(slot, vmconf.NewDrive(e.SeedVolume).Put(cdromOption, "cdrom").String(), "cloud_init")
	for key := range nativeOf(e.cfg) {
		e.set(key, "", "cloud_init")
	}
	instance := e.cfg.UUID()
	if instance == "" {
		instance = e.UUID
	}
	if ci := e.to.CloudInit; ci != nil && ci.InstanceID != nil {
		instance = *ci.InstanceID
	}
	input := cloudinit.Input{InstanceID: instance, Spec: e.to, NICs: e.seedNICs(), Clone: e.mark.Cloned}
	if _, err := cloudinit.Render(input); err != nil {
		return backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	e.plan.Seed = &seedPlan{Volume: e.SeedVolume, Slot: slot, Input: input}
	return e.rememberSeed(&seedMark{Slot: slot, Volume: e.SeedVolume}, told)
}

// free has a seed's ISO deleted, unless it is another VM's.
func (e *edit) free(s *seedMark) {
	if !s.Shared {
		e.plan.Free = append(e.plan.Free, s.Volume)
	}
}

// staleSeed reports whether the ISO lags behind the VM: its name, its interfaces, or the drive is empty.
func (e *edit) staleSeed() bool {
	if e.to.Name != e.from.Name || e.cfg.Drive(e.mark.Seed.Slot).Volume() != e.mark.Seed.Volume {
		return true
	}
	for _, slot := range append(e.cfg.NICs(), e.next.NICs()...) {
		a, b := e.cfg.NIC(slot), e.next.NIC(slot)
		if a.MAC() != b.MAC() || a.Get("mtu") != b.Get("mtu") || slotKey(e.seen.NICs, slot) != slotKey(e.plan.NICs, slot) {
			return true
		}
	}
	return false
}

// lostInput names what the ISO that there is was made from, and nobody knows any more; "" is nothing.
func (e *edit) lostInput() string {
	had, ci := e.mark.Seed, orElse(e.to.CloudInit, backends.CloudInit{})
	if had == nil || had.Volume == "" {
		return ""
	}
	if ci.UserDataVersion != nil && ci.UserData == nil {
		return "cloud_init.user_data_wo"
	}
	for name, text := range texts(&ci) {
		if had.Left[name] != "" && *text == nil {
			return "cloud_init." + name
		}
	}
	return ""
}

// texts are the inputs that can be long.
func texts(ci *backends.CloudInit) map[string]**string {
	return map[string]**string{
		"user_data": &ci.UserData, "vendor_data": &ci.VendorData, "meta_data": &ci.MetaData, "network_config": &ci.NetworkConfig,
	}
}

// seedNICs lists the interfaces as a seed wants them.
func (e *edit) seedNICs() []cloudinit.NIC {
	var nics []cloudinit.NIC
	for _, slot := range e.next.NICs() {
		nics = append(nics, cloudinit.NIC{Key: slotKey(e.plan.NICs, slot), MAC: e.next.NIC(slot).MAC()})
	}
	return nics
}

// rememberSeed keeps the inputs in the mark. Of what does not fit, the longest texts are left out: a plan sees no
// drift of them.
func (e *edit) rememberSeed(s *seedMark, told []byte) error {
	spec := *e.to
	if spec.CloudInit != nil {
		ci := *spec.CloudInit
		spec.CloudInit = &ci
	}
	for {
		s.Inputs = pack(string(told))
		e.mark.Seed = s
		if text, err := e.mark.describe(value(e.to.Description)); err == nil && utf8.RuneCountInString(text) <= maxDescription {
			return nil
		}
		longest := ""
		if spec.CloudInit != nil {
			for name, text := range texts(spec.CloudInit) {
				if *text != nil && (longest == "" || len(**text) > len(**texts(spec.CloudInit)[longest])) {
					longest = name
				}
			}
		}
		if longest == "" {
			s.Inputs = "" // what Proxmox VE has of it can be read back
			return nil
		}
		text := texts(spec.CloudInit)[longest]
		sum := sha256.Sum256([]byte(**text))
		s.Left = orEmpty(s.Left)
		s.Left[longest] = hex.EncodeToString(sum[:])
		*text = nil
		var err error
		if told, err = inputsOf(&spec); err != nil {
			return err
		}
	}
}

// observeSeed fills in what cloud-init is given, as it was asked for where the VM still has what was made of it.
func (h *hardware) observeSeed(o *observation) {
	m := h.marked().Seed
	if m == nil || m.Inputs == "" {
		h.observeNative(o)
		return
	}
	text, err := unpack(m.Inputs)
	if err != nil {
		h.observeNative(o)
		return
	}
	in, err := cloudinit.ParseInputs([]byte(text))
	if err != nil {
		h.observeNative(o)
		return
	}
	if m.Volume != "" {
		if h.Config.Drive(m.Slot).Volume() == m.Volume { // else somebody took the medium out, and a plan puts one in
			in.Apply(&o.Spec)
		}
		return
	}
	told := o.Spec
	told.Networks = maps.Clone(o.Spec.Networks)
	in.Apply(&told)
	if params, why := nativeSeed(&told, o.NICs); h.cloudInitDrive() != "" && why == "" && sameNative(h.Config, params) {
		o.Spec = told
		return
	}
	h.observeNative(o)
}
