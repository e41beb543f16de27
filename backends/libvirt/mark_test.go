package libvirt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"
)

func TestMark_besideOthers(t *testing.T) {
	const others = `<a:x xmlns:a="urn:a">1 &amp; 2</a:x>`
	d := &libvirtxml.Domain{Metadata: &libvirtxml.DomainMetadata{XML: "\n  " + others + "\n  "}}
	m := &mark{Version: 1, Token: `t"<&>`, Tags: []string{"x", "y & z"}, CPUHotAdd: ptr(false)}
	m.setDisk(diskMark{Key: "root", Serial: "root", Pool: "p", Volume: "v", Owned: true})
	m.setNIC(nicMark{Key: "lan", MAC: "52:54:00:00:00:01", Order: ptr(int64(0))})
	for range 2 { // a second write replaces the first
		if err := writeMark(d, m); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(d.Metadata.XML, markNamespace); n != 1 {
		t.Errorf("%d marks: %s", n, d.Metadata.XML)
	}
	if !strings.Contains(d.Metadata.XML, others) {
		t.Errorf("what others keep is gone: %s", d.Metadata.XML)
	}
	got, err := readMark(d.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	got.XMLName = m.XMLName
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("the mark changed (-want +got):\n%s", diff)
	}
}

// TestMark_prefixed reads the form that libvirt makes of a mark that was set alone.
func TestMark_prefixed(t *testing.T) {
	m, err := readMark(&libvirtxml.DomainMetadata{XML: `<virtrigaud:vm xmlns:virtrigaud="` + markNamespace +
		`" version="1"><virtrigaud:tag>a</virtrigaud:tag><virtrigaud:disk key="k" owned="true"/></virtrigaud:vm>`})
	if err != nil || m == nil || len(m.Tags) != 1 || len(m.Disks) != 1 || !m.Disks[0].Owned {
		t.Errorf("read %+v, %v", m, err)
	}
}

func TestMark_unreadable(t *testing.T) {
	for name, inner := range map[string]string{
		"newer":   `<vm xmlns="` + markNamespace + `" version="99"/>`,
		"damaged": `<vm xmlns="` + markNamespace + `" version="x"/>`,
		"open":    `<vm xmlns="` + markNamespace + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := readMark(&libvirtxml.DomainMetadata{XML: inner}); err == nil {
				t.Errorf("read as %+v: acting on it would forget volumes", m)
			}
		})
	}
	for name, inner := range map[string]string{
		"nothing":       "",
		"somebody else": `<vm xmlns="urn:other" version="99"/>`,
		"deeper":        `<x><vm xmlns="` + markNamespace + `" version="1"/></x>`,
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := readMark(&libvirtxml.DomainMetadata{XML: inner}); m != nil || err != nil {
				t.Errorf("read %+v, %v, want no mark", m, err)
			}
		})
	}
}

// TestMark_setDisk never forgets a volume of ours.
func TestMark_setDisk(t *testing.T) {
	m := &mark{}
	m.setDisk(diskMark{Key: "data", Pool: "p", Volume: "one", Owned: true})
	m.setDisk(diskMark{Key: "data", Pool: "p", Volume: "two", Owned: true})
	if got := m.disk("data"); got == nil || got.Volume != "two" {
		t.Errorf("the disk's entry is %+v", got)
	}
	if len(m.Disks) != 2 || !m.Disks[0].Retired || m.Disks[0].Volume != "one" {
		t.Errorf("the first volume is forgotten: %+v", m.Disks)
	}
	m.retire("data")
	if m.disk("data") != nil || len(m.Disks) != 2 {
		t.Errorf("after the removal: %+v", m.Disks)
	}
}
