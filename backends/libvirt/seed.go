package libvirt

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// wantsSeed reports whether a VM needs a seed: cloud_init is set, or addresses that
// only cloud-init can give to the guest.
func wantsSeed(spec *backends.VMSpec) bool {
	if spec.CloudInit != nil || spec.DNS != nil || spec.Customization != nil {
		return true
	}
	for _, nic := range spec.Networks {
		if nic.IPv4 != nil || nic.IPv6 != nil {
			return true
		}
	}
	return false
}

// renderSeed makes the bytes of a VM's seed. nics are in bus order.
func (m *mark) renderSeed(spec *backends.VMSpec, uuid string, nics []cloudinit.NIC) ([]byte, error) {
	instance := uuid
	if spec.CloudInit != nil && spec.CloudInit.InstanceID != nil {
		instance = *spec.CloudInit.InstanceID
	}
	seed, err := cloudinit.Render(cloudinit.Input{InstanceID: instance, Spec: spec, NICs: nics, Clone: m.Clone})
	if err != nil {
		return nil, backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	return seedVolume(seed)
}

// seedUnit is what the size of a seed's volume is a multiple of, so that another seed for
// the VM has the same size: it is then written in place, below a running guest too.
const seedUnit = 512 << 10

func seedVolume(seed cloudinit.Seed) ([]byte, error) {
	iso, err := cloudinit.ISO(seed)
	if err != nil {
		return nil, backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	if rest := len(iso) % seedUnit; rest != 0 {
		iso = append(iso, make([]byte, seedUnit-rest)...)
	}
	return iso, nil
}

// seedNICs lists a domain's interfaces as a seed wants them.
func (d *domain) seedNICs() []cloudinit.NIC {
	var nics []cloudinit.NIC
	for i, key := range nicKeys(d.xml, d.mark) {
		nics = append(nics, cloudinit.NIC{Key: key, MAC: macOf(&d.xml.Devices.Interfaces[i])})
	}
	return nics
}

func (s *seedMark) ref() storage.Ref { return storage.Ref{Pool: s.Pool, Name: s.Volume} }

// readSeed fills in what only the seed can tell. A seed whose volume is gone tells
// nothing, so that a plan makes it anew.
func (b *Backend) readSeed(ctx context.Context, d *domain, spec *backends.VMSpec) error {
	if d.mark == nil || d.mark.Seed == nil {
		return nil
	}
	iso, err := b.store.ReadSmall(ctx, d.mark.Seed.ref())
	if isVolumeGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(iso) == 0 {
		return nil
	}
	seed, err := cloudinit.ReadISO(iso)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "the cloud-init seed %s cannot be read: %w", d.mark.Seed.ref(), err)
	}
	in, err := cloudinit.ParseInputs(seed.Inputs)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "the cloud-init seed %s cannot be read: %w", d.mark.Seed.ref(), err)
	}
	in.Apply(spec)
	return nil
}

// writeSeed writes the seed anew where a change asks for it: into the volume that is
// there, or into a new one that gets a drive of its own.
func (e *edit) writeSeed(ctx context.Context) error {
	m := e.d.mark
	if !e.seed || m.Seed == nil && !wantsSeed(e.to) {
		return nil
	}
	pools, err := e.poolsByName(ctx)
	if err != nil {
		return err
	}
	if m.Seed != nil {
		iso, err := e.renderAgain(ctx)
		if err != nil {
			return err
		}
		v, err := e.store.WriteSmall(ctx, m.Seed.ref(), iso)
		if err != nil {
			return err
		}
		return e.insertSeed(ctx, v, pools[v.Pool].Kind)
	}
	pool := e.seedPool(e.to)
	if err := checkSeedPool(pools, pool); err != nil {
		return err
	}
	m.Seed = &seedMark{Device: freeTarget(driveBus, targets(e.d.xml)), Pool: pool, Volume: volumeName(e.d.xml.Name, "seed", "iso", pools[pool].Kind)}
	if err := e.saveMark(ctx, e.dom, e.d, e.up); err != nil {
		return err
	}
	iso, err := e.d.mark.renderSeed(e.to, e.d.xml.UUID, e.d.seedNICs())
	if err != nil {
		return err
	}
	v, err := e.store.WriteSmall(ctx, m.Seed.ref(), iso)
	if err != nil {
		return err
	}
	return e.insertSeed(ctx, v, pools[pool].Kind)
}

// insertSeed puts the seed into its drive, where it is not in it, and notes that it is
// up to date. The drive is made where there is none.
func (e *edit) insertSeed(ctx context.Context, v storage.Volume, poolKind string) error {
	media, err := e.sourceOf(ctx, v, poolKind)
	if err != nil {
		return err
	}
	live := e.up && e.mode == backends.Live
	target := e.d.mark.Seed.Device
	switch i := findTarget(e.d.xml, target); {
	case i >= 0 && pathOf(&e.d.xml.Devices.Disks[i]) != "":
	case i >= 0: // ejected when its volume was gone
		drive := e.d.xml.Devices.Disks[i]
		drive.Source = media.xml()
		if live {
			if err := e.changeMedium(ctx, drive); err != nil {
				return at(err, "cloud_init")
			}
		}
		e.d.xml.Devices.Disks[i] = drive
	default:
		drive := driveDevice{target: target, bus: driveBus, source: media}.device()
		if live {
			if err := e.plug(ctx, &drive); err != nil {
				return at(err, "cloud_init")
			}
		}
		e.d.xml.Devices.Disks = append(e.d.xml.Devices.Disks, drive)
	}
	e.seed, e.d.mark.SeedStale = false, false
	if live {
		return e.refresh(ctx)
	}
	return nil
}

// renderAgain makes the bytes of a seed that exists already. User data that is write-only
// and was not given again is taken over from the old one.
func (e *edit) renderAgain(ctx context.Context) ([]byte, error) {
	ci := e.to.CloudInit
	if ci == nil || ci.UserDataVersion == nil || ci.UserData != nil {
		return e.d.mark.renderSeed(e.to, e.d.xml.UUID, e.d.seedNICs())
	}
	old, err := e.store.ReadSmall(ctx, e.d.mark.Seed.ref())
	if isVolumeGone(err) {
		return nil, backends.Errorf(backends.Precondition, "", "", "the cloud-init seed %s is gone, and the write-only user data with it", e.d.mark.Seed.ref()).
			At("cloud_init.user_data_wo").Advise("Raise cloud_init.user_data_wo_version, so that it is given again.")
	}
	if err != nil {
		return nil, err
	}
	oldSeed, err := cloudinit.ReadISO(old)
	if err != nil {
		return nil, backends.Errorf(backends.Internal, "", "", "the cloud-init seed %s cannot be read: %w", e.d.mark.Seed.ref(), err)
	}
	instance := e.d.xml.UUID
	if ci.InstanceID != nil {
		instance = *ci.InstanceID
	}
	seed, err := cloudinit.Render(cloudinit.Input{InstanceID: instance, Spec: e.to, NICs: e.d.seedNICs(), Clone: e.d.mark.Clone})
	if err != nil {
		return nil, backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	seed.UserData = oldSeed.UserData
	return seedVolume(seed)
}
