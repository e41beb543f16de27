package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// The properties of cloud-init's VMware datasource, and how their values are encoded
// (DataSourceVMware in cloud-init's documentation).
const (
	propertyMetaData   = "guestinfo.metadata"
	propertyUserData   = "guestinfo.userdata"
	propertyVendorData = "guestinfo.vendordata"

	encodingSuffix = ".encoding"
	gzipBase64     = "gzip+base64"
)

// GuestInfoKeys are the properties that GuestInfo can set: what a seed leaves out must not
// be left from an earlier one, or from the VM that this one was cloned from.
func GuestInfoKeys() []string {
	return []string{
		propertyMetaData, propertyMetaData + encodingSuffix,
		propertyUserData, propertyUserData + encodingSuffix,
		propertyVendorData, propertyVendorData + encodingSuffix,
	}
}

// GuestInfo returns a seed as the properties that cloud-init's VMware datasource reads from the
// hypervisor. The network configuration is a part of the meta-data there; Inputs are left out.
func GuestInfo(s Seed) (map[string]string, error) {
	meta, err := withNetwork(s.MetaData, s.NetworkConfig)
	if err != nil {
		return nil, err
	}
	properties := map[string]string{}
	for key, text := range map[string]string{propertyMetaData: meta, propertyUserData: s.UserData, propertyVendorData: s.VendorData} {
		if text == "" {
			continue
		}
		if properties[key], err = packed(text); err != nil {
			return nil, err
		}
		properties[key+encodingSuffix] = gzipBase64
	}
	return properties, nil
}

// ReadGuestInfo makes a seed of properties, which property tells by key; ok is false where there are none. Properties that
// another tool set may be plain text or base64.
func ReadGuestInfo(property func(key string) string) (s Seed, ok bool, err error) {
	for key, text := range map[string]*string{propertyMetaData: &s.MetaData, propertyUserData: &s.UserData, propertyVendorData: &s.VendorData} {
		value := property(key)
		if value == "" {
			continue
		}
		ok = true
		if *text, err = unpacked(value, property(key+encodingSuffix)); err != nil {
			return Seed{}, true, fmt.Errorf("%s cannot be read: %w", key, err)
		}
	}
	if s.MetaData, s.NetworkConfig, err = withoutNetwork(s.MetaData); err != nil {
		return Seed{}, true, fmt.Errorf("%s cannot be read: %w", propertyMetaData, err)
	}
	return s, ok, nil
}

func packed(text string) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// unpackedLimit bounds what one property may hold once it is unpacked.
const unpackedLimit = 8 << 20

func unpacked(value, encoding string) (string, error) {
	switch encoding {
	case "base64", "b64":
		data, err := base64.StdEncoding.DecodeString(value)
		return string(data), err
	case gzipBase64, "gz+b64":
		data, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", err
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(io.LimitReader(z, unpackedLimit))
		return string(text), err
	default:
		return value, nil
	}
}

// networkKey is where the VMware datasource looks for the network configuration.
const networkKey = "network"

// withNetwork puts a network configuration into meta-data.
func withNetwork(metaData, network string) (string, error) {
	if network == "" {
		return metaData, nil
	}
	doc, err := mapping(metaData)
	if err != nil {
		return "", err
	}
	config, err := mapping(network)
	if err != nil {
		return "", err
	}
	if inner := lookup(config, networkKey); inner != nil && inner.Kind == yaml.MappingNode {
		config = inner // as in a netplan file
	}
	doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: networkKey}, config)
	return encodeYAML(doc)
}

// withoutNetwork takes it out again.
func withoutNetwork(metaData string) (rest, network string, err error) {
	doc, err := mapping(metaData)
	if err != nil || lookup(doc, networkKey) == nil {
		return metaData, "", err
	}
	if network, err = networkText(lookup(doc, networkKey), lookup(doc, networkKey+encodingSuffix)); err != nil {
		return "", "", err
	}
	kept := []*yaml.Node{}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if key := doc.Content[i].Value; key != networkKey && key != networkKey+encodingSuffix {
			kept = append(kept, doc.Content[i], doc.Content[i+1])
		}
	}
	doc.Content = kept
	rest, err = encodeYAML(doc)
	return rest, network, err
}

func networkText(config, encoding *yaml.Node) (string, error) {
	if config.Kind == yaml.MappingNode {
		return encodeYAML(config)
	}
	how := ""
	if encoding != nil {
		how = encoding.Value
	}
	return unpacked(config.Value, how)
}
