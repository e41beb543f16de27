package pvesim

import (
	"fmt"
	"strings"
	"testing"
)

// asUser makes a client of a user with some privileges, each "path privilege ...".
func asUser(t *testing.T, s *Server, grants ...string) *client {
	t.Helper()
	s.AddUser("eve@pve", "secret-password")
	for _, g := range grants {
		words := splitList(g)
		s.Grant("eve@pve", words[0], words[1:]...)
	}
	c := newClient(t, s)
	c.header.Set("Authorization", "PVEAPIToken="+s.AddToken("eve@pve", "tf", false))
	return c
}

// What a change of a VM takes depends on what is changed, what was there and what comes.
func TestPrivilegesOfChanges(t *testing.T) {
	s := Start(t, Options{})
	succeed(t, s, "POST", "/nodes/pve1/qemu", values("vmid=100&tags=old&net0=virtio,bridge=vmbr1&rng0=source=/dev/hwrng"))
	c := asUser(t, s, "/vms/100 VM.Audit VM.Config.Network VM.Config.HWType VM.Config.Disk", "/sdn/zones/localnetwork/vmbr2/5 SDN.Use")
	const config = vm100 + "/config"
	for form, lacks := range map[string]string{
		"tags=new":                               "/vms/100, VM.Config.Options",
		"delete=tags":                            "/vms/100, VM.Config.Options",
		"net0=virtio,bridge=vmbr2,tag=5":         "/sdn/zones/localnetwork/vmbr1, SDN.Use", // of what was there
		"delete=net0":                            "/sdn/zones/localnetwork/vmbr1, SDN.Use",
		"net1=virtio,bridge=vmbr2":               "/sdn/zones/localnetwork/vmbr2, SDN.Use",
		"net1=virtio,bridge=vmbr2,trunks=5-6":    "/sdn/zones/localnetwork/vmbr2/6, SDN.Use",
		"net1=virtio,bridge=vmbr2,tag=7":         "/sdn/zones/localnetwork/vmbr2/7, SDN.Use",
		"rng0=source=/dev/urandom":               "/mapping/hwrng, Mapping.Use", // of what was there
		"delete=vmstate":                         "/vms/100, VM.PowerMgmt",
		"virtiofs0=dirid=share":                  "/mapping/dir/share, Mapping.Use",
		"scsi0=local-lvm:vm-200-disk-0":          "/storage/local-lvm, Datastore.Audit",
		"ide2=local:iso/none.iso,media=cdrom":    "/storage/local, Datastore.AllocateSpace|Datastore.Audit",
		"ciuser=joe&ipconfig0=ip=dhcp&startup=1": "/vms/100, VM.Config.Options",
	} {
		c.want(403, fmt.Sprintf("Permission check failed (%s)", lacks), "PUT", config, form)
	}
	c.want(200, "OK", "PUT", config, "net1=virtio,bridge=vmbr2,tag=5&ciuser=joe")
	s.Grant("eve@pve", "/storage/local-lvm", "Datastore.Audit")
	c.want(403, "Permission check failed (/vms/200, VM.Config.Disk)", "PUT", config, "scsi0=local-lvm:vm-200-disk-0")
	c.want(500, "missing privileges to access local:snippets/x.yaml", "PUT", config, "ide2=local:snippets/x.yaml,media=cdrom")
}

// Who may make a VM may give it drives where he may use the storage.
func TestPrivilegesOfCreation(t *testing.T) {
	s := Start(t, Options{})
	c := asUser(t, s, "/vms/100 VM.Allocate", "/storage/local Datastore.AllocateSpace")
	c.want(403, "Permission check failed (/storage/local-lvm, Datastore.AllocateSpace)", "POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local-lvm:1")
	c.run("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1&ide2=none,media=cdrom")
}

// What lacks where it is asked for late is told in the words of where that is.
func TestPrivilegesAskedLate(t *testing.T) {
	s := Start(t, Options{})
	succeed(t, s, "POST", "/nodes/pve1/qemu", values("vmid=100&scsi0=local-lvm:1&scsi1=local-lvm:1"))
	must(t, s, "POST", "/pools", params{"poolid": "team"})
	c := asUser(t, s, "/vms/100 VM.Audit VM.Config.Disk", "/pool/team Pool.Allocate Pool.Audit")
	const denial = "403 Permission check failed (/storage/local-lvm, Datastore.AllocateSpace)"
	c.fails(denial, "PUT", vm100+"/resize", "disk=scsi0&size=%2B1G")
	a := c.want(400, "Parameter verification failed.", "PUT", vm100+"/config", "delete=scsi1&force=1")
	if got := fmt.Sprint(a.body["errors"]); !strings.Contains(got, "unable to apply pending change scsi1 : "+denial) {
		t.Errorf("errors %s", got)
	}
	c.want(500, "update pool failed: 403 Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)", "PUT", "/pools", "poolid=team&vms=100")
}
