package pvesim

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf/ovftest"
)

// qcow2Image makes an image of a disk of up to 512 MiB whose first bytes are data.
func qcow2Image(size int64, data []byte) []byte {
	const cluster = 64 << 10
	be := binary.BigEndian
	image := make([]byte, 5*cluster)
	copy(image, "QFI\xfb")
	be.PutUint32(image[4:], 2)               // version
	be.PutUint32(image[20:], 16)             // bits of a cluster
	be.PutUint64(image[24:], uint64(size))   //nolint:gosec // a test's size
	be.PutUint32(image[36:], 1)              // entries of the first table
	be.PutUint64(image[40:], 3*cluster)      // where it is
	be.PutUint64(image[48:], 1*cluster)      // reference counts
	be.PutUint32(image[56:], 1)              //
	be.PutUint64(image[cluster:], 2*cluster) //
	be.PutUint64(image[3*cluster:], 4*cluster|1<<63)
	for i := 0; i*cluster < len(data); i++ {
		be.PutUint64(image[4*cluster+8*i:], uint64(len(image))|1<<63)
		piece := make([]byte, cluster)
		copy(piece, data[i*cluster:])
		image = append(image, piece...)
	}
	return image
}

func streamVMDK(t *testing.T, size int64, data []byte) []byte {
	t.Helper()
	disk := make([]byte, size)
	copy(disk, data)
	r, err := diskimage.NewStreamVMDK(t.Context(), bytes.NewReader(disk), diskimage.Raw, diskimage.StreamOptions{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	image, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// begins asserts what a guest reads at the beginning of a volume.
func begins(t *testing.T, s *Server, volid string, want []byte) {
	t.Helper()
	if got, err := s.ReadVolume("", volid, 0, len(want)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s begins with other bytes: %v", volid, err)
	}
}

func put(t *testing.T, s *Server, volid string, data []byte) {
	t.Helper()
	if err := s.PutFile("", volid, data); err != nil {
		t.Fatal(err)
	}
}

const vms = "/nodes/pve1/qemu"

func TestImport(t *testing.T) {
	versions(t, func(t *testing.T, s *Server) {
		data := bytes.Repeat([]byte("what the image holds. "), 8000)
		put(t, s, "local:import/a.qcow2", qcow2Image(40<<20, data))
		put(t, s, "local:import/a.vmdk", streamVMDK(t, 8<<20, data))
		put(t, s, "local:import/a.raw", data)
		put(t, s, "local:import/bad.qcow2", data)
		info, _ := must(t, s, "GET", localContent+"/import/a.qcow2", nil).(map[string]any)
		if info["size"] != int64(40<<20) || info["format"] != "qcow2" {
			t.Errorf("the image is %v", info)
		}
		succeed(t, s, "POST", vms, params{
			"vmid": "160", "scsi0": "local:0,import-from=local:import/a.qcow2", "scsi1": "local-lvm:0,import-from=local:import/a.vmdk",
			"scsi2": "local:0,import-from=local:import/a.raw,format=qcow2",
		})
		for _, volid := range []string{"local:160/vm-160-disk-0.qcow2", "local-lvm:vm-160-disk-0", "local:160/vm-160-disk-1.qcow2"} {
			begins(t, s, volid, data)
		}
		config, _ := must(t, s, "GET", vms+"/160/config", nil).(map[string]any)
		for key, want := range map[string]string{
			"scsi0": "local:160/vm-160-disk-0.qcow2,size=40M", "scsi1": "local-lvm:vm-160-disk-0,size=8M", "scsi2": "local:160/vm-160-disk-1.qcow2,size=172K",
		} {
			if config[key] != want {
				t.Errorf("%s is %v, want %s", key, config[key], want)
			}
		}
		fails(t, s, "POST", vms, params{"vmid": "161", "scsi0": "local:0,import-from=local:import/bad.qcow2"}, "Image is not in qcow2 format")

		before := len(s.Volumes("", "local"))
		s.SetStorageSpace("local-lvm", 1<<10)
		log := fails(t, s, "POST", vms, params{"vmid": "161", "scsi0": "local-lvm:0,import-from=local:import/a.qcow2"}, "failed: exit code 1")
		if !slices.ContainsFunc(log, func(l string) bool { return strings.HasSuffix(l, "No space left on device") }) {
			t.Errorf("the log does not say why:\n%s", strings.Join(log, "\n"))
		}
		if after := len(s.Volumes("", "local")); after != before {
			t.Errorf("%d volumes became %d", before, after)
		}
	})
}

func TestImportAppliance(t *testing.T) {
	versions(t, func(t *testing.T, s *Server) {
		data := bytes.Repeat([]byte("the disk of an appliance "), 5000)
		image := streamVMDK(t, 4<<20, data)
		appliance := ovftest.Package{Name: "my app", CPUs: 2, MemoryMiB: 512, UEFI: true, Network: "VM Network", Disks: []ovftest.Disk{
			{File: ovftest.File{Name: "disk1.vmdk", Content: image}, Capacity: 4 << 20},
		}}
		put(t, s, "local:import/app.ova", appliance.OVA())
		got, _ := must(t, s, "GET", "/nodes/pve1/storage/local/import-metadata", params{"volume": "import/app.ova"}).(map[string]any)
		args, _ := got["create-args"].(map[string]any)
		if args["name"] != "my-app" || args["cores"] != "2" || args["memory"] != "512" || args["ostype"] != "l26" || args["bios"] != "ovmf" || args["boot"] != "order=scsi0" {
			t.Errorf("parameters %v", args)
		}
		disks, _ := got["disks"].(map[string]any)
		scsi0, _ := disks["scsi0"].(map[string]any)
		if scsi0["volid"] != "local:import/app.ova/disk1.vmdk" || disks["efidisk0"] != 1 || len(got["warnings"].([]any)) != 2 {
			t.Errorf("disks %v, warnings %v", disks, got["warnings"])
		}
		succeed(t, s, "POST", vms, params{"vmid": "160", "scsi0": "local-lvm:0,import-from=local:import/app.ova/disk1.vmdk"})
		begins(t, s, "local-lvm:vm-160-disk-0", data)
		refused(t, s, "GET", "/nodes/pve1/storage/local/import-metadata", params{"volume": "import/a.qcow2"}, "invalid format")
		c := newClient(t, s)
		exit, _ := ended(t, s, sendFile(c, "import", "empty.ova", ovftest.Archive(ovftest.File{Name: "a.txt"})).body["data"])
		if exit != "ova archive has no .ovf file inside" {
			t.Errorf("an archive without a description: %q", exit)
		}
	})
}
