package libvirt

import (
"os"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func openLab(t *testing.T, l *libvirtlab.Lab) *Backend {
	t.Helper()
	b, err := open(t.Context(), Config{Config: conn.Config{URI: l.URI()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestSmoke(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	info, err := b.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", b.facts.Load())
	_ = info
	start := time.Now()
	spec := &backends.VMSpec{
		Name: "smoke", CPU: backends.CPU{Cores: ptr(int64(2)), MaxCores: ptr(int64(4))},
		Memory:   backends.Memory{SizeMiB: ptr(int64(256)), MaxMiB: ptr(int64(512))},
		Firmware: ptr("uefi"), SecureBoot: ptr(true), TPM: ptr(true),
		Disks:     map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1))}, "data": {SizeGiB: ptr(int64(2)), Bus: ptr("scsi")}},
		Networks:  map[string]backends.NIC{"lan": {}},
		CloudInit: &backends.CloudInit{Hostname: ptr("smoke")},
		Tags:      []string{"a", "b"}, Description: ptr("hello"),
	}
	id, err := b.CreateVM(t.Context(), spec)
	if err != nil {
		t.Fatal(id, err)
	}
	t.Log("create", time.Since(start))
	got, err := b.GetVMs(t.Context(), []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime|backends.AspectSeed)
	if err != nil {
		t.Fatal(err)
	}
	if got[id].Err != nil {
		t.Fatal(got[id].Err)
	}
	for _, c := range backends.Diff(&got[id].VM.Config, spec) {
		t.Error(c)
	}
	os.WriteFile("testdata/canonical.xml", []byte(l.Virsh(t, "dumpxml", "--inactive", "smoke")+"\n"), 0o644)
	start = time.Now()
	if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
		t.Fatal(err)
	}
	t.Log("start", time.Since(start))
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.AssertEmpty(t)
}

func TestDebugSeed(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Exec(t.Context(), "true")
	_ = l
	img := l.TinyImage(t)
	l.Virsh(t, "vol-create-as", "default", "tiny.qcow2", "64M", "--format", "qcow2")
	l.Virsh(t, "vol-upload", "tiny.qcow2", img, "--pool", "default")
	l.Virsh(t, "pool-refresh", "default")
	spec := &backends.VMSpec{
		Name: "seedy", Memory: backends.Memory{SizeMiB: ptr(int64(256))}, Image: "default/tiny.qcow2",
		Disks:     map[string]backends.Disk{"root": {}},
		Networks:  map[string]backends.NIC{"lan": {IPv4: &backends.IPConfig{Address: "192.168.150.5/24"}}},
		CloudInit: &backends.CloudInit{Hostname: ptr("smoke")},
	}
	id, err := b.CreateVM(t.Context(), spec)
	if err != nil {
		t.Fatal(id, err)
	}
	start := time.Now()
	if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := b.GuestInfo(t.Context(), id); err == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Log("agent after", time.Since(start))
	for _, cmd := range []string{"hostname; findfs LABEL=cidata; cat /run/addresses"} {
		r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", cmd}})
		t.Log(string(r.Stdout), string(r.Stderr), err)
	}
	got, _ := b.GetVMs(t.Context(), []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime|backends.AspectSeed)
	ls, _ := l.Exec(t.Context(), "sh", "-c", "cd "+l.Dir+"/pool; ls -la; file *seed*; blkid -p *seed*; mkdir -p /tmp/m; mount -o loop,ro *seed*.iso /tmp/m && ls -la /tmp/m && cat /tmp/m/*; umount /tmp/m; true")
	t.Log(ls, got[id].VM.Networks)
	b.DeleteVM(t.Context(), id, backends.DeleteOptions{})
}
