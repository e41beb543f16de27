package libvirt

import (
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
	t.Log(l.Virsh(t, "dumpxml", "--inactive", "smoke"))
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
