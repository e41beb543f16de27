package libvirt

import (
	"encoding/xml"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// TestExposedConsole: a clone that has not the password of its source's console does not listen where that does.
func TestExposedConsole(t *testing.T) {
	const everywhere = `<listen type='address' address='0.0.0.0'/>`
	secret := &backends.ConsoleSpec{Password: ptr("x"), PasswordVersion: ptr(int64(1))}
	for name, c := range map[string]struct {
		graphics string
		version  *int64
		asked    *backends.ConsoleSpec
		address  string // that the clone's definition has, before what was asked is set
	}{
		"password in the definition": {graphics: `<graphics type='vnc' port='5901' listen='0.0.0.0' passwd='s'>` + everywhere + `</graphics>`},
		"password in the mark":       {graphics: `<graphics type='vnc' listen='0.0.0.0'>` + everywhere + `</graphics>`, version: ptr(int64(1))},
		"spice":                      {graphics: `<graphics type='spice' passwd='s'>` + everywhere + `</graphics>`},
		"empty password": {
			graphics: `<graphics type='vnc' passwd='s'>` + everywhere + `</graphics>`,
			asked:    &backends.ConsoleSpec{Password: ptr(""), PasswordVersion: ptr(int64(1))},
		},
		"password of its own": {graphics: `<graphics type='vnc' passwd='s'>` + everywhere + `</graphics>`, version: ptr(int64(1)), asked: secret, address: "0.0.0.0"},
		"open from the start": {graphics: `<graphics type='vnc'>` + everywhere + `</graphics>`, address: "0.0.0.0"},
		"loopback":            {graphics: `<graphics type='vnc' passwd='s'><listen type='address' address='127.0.0.1'/></graphics>`, address: "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &domain{xml: &libvirtxml.Domain{}, mark: &mark{ConsolePassword: c.version}}
			if err := d.xml.Unmarshal(`<domain type='kvm'><name>x</name><os><type>hvm</type></os><devices>` + c.graphics + `</devices></domain>`); err != nil {
				t.Fatal(err)
			}
			o := &origin{d: d}
			o.spec.Console = observeConsole(d.xml, d.mark)
			o.unlockScreens(c.asked)
			if o.exposed {
				hideScreens(d.xml)
			}
			if got := screenOf(d.xml).address(); got != c.address {
				t.Errorf("the clone listens on %q, want %q", got, c.address)
			}
			if got := deref(o.spec.Console.Address); got != c.address {
				t.Errorf("the address %q is inherited, want %q", got, c.address)
			}
			asked := &backends.VMSpec{Console: secret}
			if changes := backends.Diff(&o.spec, inherit.Clone(&o.spec, asked)); len(changes) != 1 || changes[0].Path != "console.password_wo_version" {
				t.Errorf("a password of the version that the source has is the changes %v", changes)
			}
		})
	}
	if m := inheritMark(&mark{ConsolePassword: ptr(int64(1))}, &backends.VMSpec{}); m.ConsolePassword != nil {
		t.Error("the clone is said to have the source's password")
	}
}

func TestSetIdentity(t *testing.T) {
	x := &libvirtxml.Domain{}
	if err := xml.Unmarshal([]byte(`<domain type='kvm'><name>old</name><uuid>AAAAAAAA-0000-4000-8000-000000000001</uuid><genid>bbbbbbbb-0000-4000-8000-000000000001</genid>
		<os><type>hvm</type><loader type='pflash'>/fw/code.fd</loader><nvram template='/fw/vars.fd'>/nvram/old_VARS.fd</nvram></os>
		<sysinfo type='smbios'><system><entry name='uuid'>aaaaaaaa-0000-4000-8000-000000000001</entry><entry name='serial'>aaaaaaaa-0000-4000-8000-000000000001</entry><entry name='product'>kept</entry></system></sysinfo>
		<devices><channel type='unix'><source mode='bind' path='/run/old.sock'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
		<graphics type='vnc' port='5901' autoport='no' passwd='secret'/><graphics type='spice' port='5902' tlsPort='5903' passwd='secret'/>
		<vsock><cid auto='no' address='7'/></vsock></devices></domain>`), x); err != nil {
		t.Fatal(err)
	}
	setIdentity(x, "cccccccc-0000-4000-8000-000000000001", "new")
	text, err := x.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, theirs := range []string{"old", "aaaaaaaa", "AAAAAAAA", "bbbbbbbb", "590", "secret", `address="7"`} {
		if strings.Contains(text, theirs) {
			t.Errorf("the clone has the source's %q:\n%s", theirs, text)
		}
	}
	for _, kept := range []string{"<name>new</name>", "cccccccc", "<genid>", "/fw/vars.fd", "/fw/code.fd", "kept", `auto="yes"`, "org.qemu.guest_agent.0"} {
		if !strings.Contains(text, kept) {
			t.Errorf("the clone lacks %q:\n%s", kept, text)
		}
	}
}

func TestSnapshotDefinition(t *testing.T) {
	const live, next = `<domain type='kvm' id='3'><name>live</name></domain>`, `<inactiveDomain type='kvm'><name>next</name></inactiveDomain>`
	for text, want := range map[string]string{
		`<domainsnapshot>` + live + `</domainsnapshot>`:        `<domain type='kvm' id='3'><name>live</name></domain>`,
		`<domainsnapshot>` + live + next + `</domainsnapshot>`: `<domain type='kvm'><name>next</name></domain>`,
		`<domainsnapshot><name>x</name></domainsnapshot>`:      "",
	} {
		if got := snapshotDefinition(text); got != want {
			t.Errorf("%s gave %s", text, got)
		}
	}
}

// TestCloneSpec holds the volumes of clones against what was asked, what the source has and what pools can.
func TestCloneSpec(t *testing.T) {
	dir, lvm := backends.Storage{Name: "dir", Kind: "dir"}, backends.Storage{Name: "lvm", Kind: "logical"}
	content := storage.Volume{Ref: storage.Ref{Pool: "p", Name: "v"}, CapacityBytes: 3 * gib / 2}
	for name, c := range map[string]struct {
		asked, disk          backends.Disk
		pool                 backends.Storage
		shared               bool
		format, provisioning string
		bytes                int64
		path                 backends.Path // of the refusal
	}{
		"as it is":              {disk: backends.Disk{Format: ptr("raw"), Provisioning: ptr("thick")}, pool: dir, format: "raw", provisioning: "thick"},
		"as asked":              {asked: backends.Disk{Format: ptr("qcow2"), SizeGiB: ptr(int64(2))}, disk: backends.Disk{Format: ptr("raw")}, pool: dir, format: "qcow2", provisioning: "thin", bytes: 2 * gib},
		"odd source":            {disk: backends.Disk{Format: ptr("vmdk")}, pool: dir, format: "qcow2", provisioning: "thin"},
		"onto a volume group":   {disk: backends.Disk{Format: ptr("qcow2")}, pool: lvm, format: "raw", provisioning: "thin"},
		"qcow2 on such":         {asked: backends.Disk{Format: ptr("qcow2")}, pool: lvm, path: "format"},
		"shared":                {disk: backends.Disk{Format: ptr("raw"), Provisioning: ptr("thick")}, pool: dir, shared: true, format: "qcow2", provisioning: "thin"},
		"shared raw":            {asked: backends.Disk{Format: ptr("raw")}, pool: dir, shared: true, path: "format"},
		"shared thick":          {asked: backends.Disk{Provisioning: ptr("thick")}, pool: dir, shared: true, path: "provisioning"},
		"shared without files":  {pool: lvm, shared: true, path: "storage"},
		"smaller by half a GiB": {asked: backends.Disk{SizeGiB: ptr(int64(1))}, pool: dir, path: "size_gib"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := cloneSpec(c.asked, c.disk, content, c.pool, c.shared)
			if c.path != "" {
				var e *backends.Error
				if e, _ = err.(*backends.Error); e == nil || e.Path != c.path { //nolint:errorlint // it is not wrapped
					t.Fatalf("the error is %v, want one at %q", err, c.path)
				}
				return
			}
			if err != nil || s.Format != c.format || s.Provisioning != c.provisioning || s.CapacityBytes != c.bytes || (s.Backing != nil) != c.shared || (s.From == nil) != c.shared {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
}
