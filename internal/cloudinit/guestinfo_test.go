package cloudinit_test

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

func TestGuestInfoComesBack(t *testing.T) {
	seed := cloudinit.Seed{
		UserData: "#cloud-config\nusers: []\n", VendorData: "#cloud-config\ntimezone: UTC\n",
		MetaData:      "instance-id: i-1\nlocal-hostname: web\n",
		NetworkConfig: "version: 2\nethernets:\n  lan:\n    match:\n      macaddress: \"00:50:56:00:00:01\"\n    dhcp4: true\n",
	}
	properties, err := cloudinit.GuestInfo(seed)
	if err != nil {
		t.Fatal(err)
	}
	for key := range properties {
		if !strings.HasPrefix(key, "guestinfo.") {
			t.Errorf("the property %q is not the guest's", key)
		}
	}
	got, ok, err := cloudinit.ReadGuestInfo(func(key string) string { return properties[key] })
	if err != nil || !ok {
		t.Fatalf("ReadGuestInfo: %v, %v", ok, err)
	}
	if diff := cmp.Diff(seed, got); diff != "" {
		t.Error(diff)
	}
}

func TestGuestInfoOfOthers(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := map[string]struct {
		properties map[string]string
		want       cloudinit.Seed
	}{
		"plain text": {
			map[string]string{"guestinfo.userdata": "#cloud-config\n"},
			cloudinit.Seed{UserData: "#cloud-config\n"},
		},
		"base64, with an encoded network": {
			map[string]string{
				"guestinfo.metadata":          b64("instance-id: i-2\nnetwork: " + b64("version: 2\n") + "\nnetwork.encoding: base64\n"),
				"guestinfo.metadata.encoding": "base64",
			},
			cloudinit.Seed{MetaData: "instance-id: i-2\n", NetworkConfig: "version: 2\n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok, err := cloudinit.ReadGuestInfo(func(key string) string { return test.properties[key] })
			if err != nil || !ok {
				t.Fatalf("ReadGuestInfo: %v, %v", ok, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, ok, err := cloudinit.ReadGuestInfo(func(string) string { return "" }); ok || err != nil {
		t.Errorf("no property is a seed: %v, %v", ok, err)
	}
	bad := map[string]string{"guestinfo.userdata": "not base64!", "guestinfo.userdata.encoding": "base64"}
	if _, _, err := cloudinit.ReadGuestInfo(func(key string) string { return bad[key] }); err == nil || !strings.Contains(err.Error(), "guestinfo.userdata") {
		t.Errorf("a broken property: %v", err)
	}
}

func TestGuestInfoReplacesAllOfASeed(t *testing.T) {
	properties, err := cloudinit.GuestInfo(cloudinit.Seed{UserData: "u", VendorData: "v", MetaData: "instance-id: i\n"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, key := range cloudinit.GuestInfoKeys() {
		known[key] = true
	}
	for key := range maps.Keys(properties) {
		if !known[key] {
			t.Errorf("%s is set and not among the keys to clear", key)
		}
	}
}
