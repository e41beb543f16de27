package vsphere

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// The ways in which a guest gets what it is told.
const (
	fromGuestInfo     = "guestinfo"
	fromNoCloud       = "nocloud"
	fromCustomization = "customization"
)

// inputsKey holds, in extraConfig, what cloud-init was asked for (cloudinit.Inputs). Its name does not begin with "guestinfo.", so
// that the guest cannot read it.
const inputsKey = "virtrigaud.seed"

// seeding is what gives a guest its cloud-init data: options and devices for a specification, with the mark changed accordingly.
type seeding struct {
	extra   []types.BaseOptionValue
	devices []types.BaseVirtualDeviceConfigSpec
	// after is done once the VM is reconfigured; nil is nothing.
	after func(context.Context) error
	// undo is done where the VM is not reconfigured; nil is nothing.
	undo func(ctx context.Context, cause error) error
}

// failed takes back what was done for a specification that failed, and returns the cause.
func (s *seeding) failed(ctx context.Context, cause error) error {
	if s.undo == nil {
		return cause
	}
	return s.undo(ctx, cause)
}

// datasourceOf is how a guest is to get what spec tells it, "" for nothing to tell. What cloud-init can do it
// does; vSphere's own customization is for guests without it: those that ask for customization alone, and Windows.
func datasourceOf(spec *backends.VMSpec) string {
	switch {
	case spec.Customization != nil && (spec.CloudInit == nil || spec.Customization.Windows != nil):
		return fromCustomization
	case spec.CloudInit != nil && spec.CloudInit.Datasource != nil && *spec.CloudInit.Datasource == fromNoCloud:
		return fromNoCloud
	case spec.CloudInit != nil || spec.DNS != nil:
		return fromGuestInfo
	}
	for _, nic := range spec.Networks {
		if nic.IPv4 != nil || nic.IPv6 != nil {
			return fromGuestInfo
		}
	}
	return ""
}

// seed prepares the seed that spec asks for of a VM that exists, so that the MACs of its interfaces are known: macs has them by
// key. It writes into k what it keeps. A VM that needs none, and has none from the VM that it was cloned from, gets an empty seeding.
func (b *Backend) seed(ctx context.Context, m *machine, k *mark, spec *backends.VMSpec, macs map[string]string) (seeding, error) {
	kind := datasourceOf(spec)
	if kind == "" {
		k.Seed = nil
		return seeding{extra: m.clearSeed(nil)}, nil
	}
	rendered, err := m.renderSeed(k, spec, macs)
	if err != nil {
		return seeding{}, err
	}
	inputs := base64.StdEncoding.EncodeToString(rendered.Inputs)
	s := seeding{extra: []types.BaseOptionValue{&types.OptionValue{Key: inputsKey, Value: inputs}}}
	had := k.Seed
	k.Seed = &seedMark{Datasource: kind}
	var properties map[string]string
	switch kind {
	case fromGuestInfo:
		if properties, err = cloudinit.GuestInfo(rendered); err != nil {
			return seeding{}, backends.Errorf(backends.Invalid, "", "", "the cloud-init data cannot be made: %w", err).At("cloud_init")
		}
	case fromNoCloud:
		if err := b.seedMedium(ctx, m, k.Seed, had, rendered, &s); err != nil {
			return seeding{}, err
		}
	case fromCustomization:
		if err := b.customize(m, spec, macs, k, &s); err != nil {
			return seeding{}, err
		}
		if spec.CloudInit != nil { // Windows with cloudbase-init
			if properties, err = cloudinit.GuestInfo(rendered); err != nil {
				return seeding{}, backends.Errorf(backends.Invalid, "", "", "the cloud-init data cannot be made: %w", err).At("cloud_init")
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		s.extra = append(s.extra, &types.OptionValue{Key: key, Value: properties[key]})
	}
	s.extra = append(s.extra, m.clearSeed(properties)...)
	return s, nil
}

// clearSeed empties the properties of an earlier seed that the new one does not set: they may have come with
// the VM that this one was cloned from.
func (m *machine) clearSeed(set map[string]string) []types.BaseOptionValue {
	var extra []types.BaseOptionValue
	keys := cloudinit.GuestInfoKeys()
	if set == nil {
		keys = append(keys, inputsKey)
	}
	for _, key := range keys {
		if _, stays := set[key]; stays {
			continue
		}
		if value, ok := extraValue(m.Config.ExtraConfig, key); ok && value != "" {
			extra = append(extra, &types.OptionValue{Key: key, Value: ""})
		}
	}
	return extra
}

// renderSeed makes the seed. User data that is write-only and was not given again is taken over from the one there is.
func (m *machine) renderSeed(k *mark, spec *backends.VMSpec, macs map[string]string) (cloudinit.Seed, error) {
	instance := m.Config.Uuid
	ci := spec.CloudInit
	if ci != nil && ci.InstanceID != nil {
		instance = *ci.InstanceID
	}
	in := cloudinit.Input{InstanceID: instance, Spec: spec, Clone: k.Cloned}
	for _, key := range slices.Sorted(maps.Keys(macs)) {
		in.NICs = append(in.NICs, cloudinit.NIC{Key: key, MAC: macs[key]})
	}
	slices.SortStableFunc(in.NICs, func(x, y cloudinit.NIC) int { return int(k.NICs[x.Key].Unit - k.NICs[y.Key].Unit) })
	seed, err := cloudinit.Render(in)
	if err != nil {
		return seed, backends.Errorf(backends.Invalid, "", "", "the cloud-init data cannot be made: %w", err).At("cloud_init")
	}
	if ci == nil || ci.UserDataVersion == nil || ci.UserData != nil {
		return seed, nil
	}
	old, ok, err := m.guestInfo()
	if err != nil || !ok {
		return seed, backends.Errorf(backends.Precondition, "", "", "the VM's cloud-init data is gone, and the write-only user data with it").
			At("cloud_init.user_data_wo").Advise("Raise cloud_init.user_data_wo_version, so that it is given again.")
	}
	seed.UserData = old.UserData
	return seed, nil
}

// guestInfo reads the seed in the VM's properties; ok is false where there is none.
func (m *machine) guestInfo() (s cloudinit.Seed, ok bool, err error) {
	return cloudinit.ReadGuestInfo(func(key string) string {
		value, _ := extraValue(m.Config.ExtraConfig, key)
		return value
	})
}

// observeSeed fills in what only the seed can tell: cloud-init inputs, customization, static addresses of spec.Networks, DNS.
func (m *machine) observeSeed(spec *backends.VMSpec) error {
	text, ok := extraValue(m.Config.ExtraConfig, inputsKey)
	if !ok || text == "" || m.mark == nil {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "extraConfig %s cannot be read: %w", inputsKey, err)
	}
	in, err := cloudinit.ParseInputs(data)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "extraConfig %s cannot be read: %w", inputsKey, err)
	}
	in.Apply(spec)
	return nil
}
