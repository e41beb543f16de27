package cloudinit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Names of the files on a NoCloud volume.
const (
	fileUserData      = "user-data"
	fileMetaData      = "meta-data"
	fileVendorData    = "vendor-data"
	fileNetworkConfig = "network-config"
	fileInputs        = "virtrigaud.json"
)

// Input is what a seed is made from.
type Input struct {
	// InstanceID is the one in effect: CloudInit.InstanceID, else the VM's UUID.
	InstanceID string
	Spec       *backends.VMSpec
	NICs       []NIC // in bus order
	// Clone is set where the VM's disks were another's, whose guest has been set up: this one gets a
	// machine id of its own, and asks for addresses in the name of its MACs.
	Clone bool
}

// NIC is one network interface that the VM has.
type NIC struct {
	Key string // in Spec.Networks; a key that is not there gets DHCP
	MAC string
}

// Seed holds the files of a NoCloud volume. VendorData, NetworkConfig and Inputs may be
// empty; then there is no such file.
type Seed struct {
	UserData      string
	VendorData    string
	MetaData      string
	NetworkConfig string
	Inputs        []byte // see ParseInputs
}

// Render makes the seed of a VM. It fails where what was asked cannot be expressed: a NIC
// without a MAC address, or meta_data that is not a YAML mapping. Use Validate beforehand for
// messages with paths.
func Render(in Input) (Seed, error) {
	spec := in.Spec
	if spec == nil {
		spec = &backends.VMSpec{}
	}
	ci := spec.CloudInit
	if ci == nil {
		ci = &backends.CloudInit{}
	}
	meta, err := renderMetaData(in.InstanceID, hostOf(spec, ci), ci)
	if err != nil {
		return Seed{}, err
	}
	network, err := renderNetwork(spec, ci, in.NICs, in.Clone)
	if err != nil {
		return Seed{}, err
	}
	inputs, err := InputsOf(spec).encode()
	if err != nil {
		return Seed{}, err
	}
	vendor := renderVendorData(spec, ci)
	if in.Clone {
		vendor = withRenewal(vendor)
	}
	return Seed{
		UserData:      renderUserData(ci),
		VendorData:    vendor,
		MetaData:      meta,
		NetworkConfig: network,
		Inputs:        inputs,
	}, nil
}

type file struct {
	name string
	data []byte
}

// files lists what the volume holds. cloud-init does not take a volume for a seed
// unless user-data and meta-data exist, so these two may be empty but are never absent.
func (s Seed) files() []file {
	list := []file{{fileUserData, []byte(s.UserData)}, {fileMetaData, []byte(s.MetaData)}}
	for _, f := range []file{
		{fileVendorData, []byte(s.VendorData)},
		{fileNetworkConfig, []byte(s.NetworkConfig)},
		{fileInputs, s.Inputs},
	} {
		if len(f.data) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// Digest is the SHA-256, in hexadecimal, of a seed's names and contents: equal seeds have
// equal digests. It does not depend on how ISO lays the files out.
func Digest(s Seed) string {
	h := sha256.New()
	for _, f := range s.files() {
		fmt.Fprintf(h, "%s\x00", f.name)
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(f.data)))
		h.Write(size[:])
		h.Write(f.data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
