package vcsim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// GuestMarker is what the content of a disk begins with whose machine has a
// guest: when it is started, tools run and report.
const GuestMarker = "PRETENDED GUEST"

// seedREST makes what only REST can make: tags and the content library.
func (s *Server) seedREST() error {
	if s.options.ESXi {
		return nil
	}

	ctx := context.Background()

	vc, err := vim25.NewClient(ctx, soap.NewClient(s.inner.URL, true))
	if err != nil {
		return err
	}

	defer vc.CloseIdleConnections()

	client := rest.NewClient(vc)
	if err := client.Login(ctx, url.UserPassword(s.options.Username, s.options.Password)); err != nil {
		return err
	}

	if err := s.seedTags(ctx, client); err != nil {
		return fmt.Errorf("tags: %w", err)
	}

	if err := s.seedLibrary(ctx, client); err != nil {
		return fmt.Errorf("library: %w", err)
	}

	return client.Logout(ctx)
}

// seedTags makes the categories and their tags.
func (s *Server) seedTags(ctx context.Context, client *rest.Client) error {
	manager := tags.NewManager(client)

	for _, c := range []struct {
		name, cardinality string
		tags              []string
	}{
		{s.Seed.TagCategory, "SINGLE", s.Seed.Tags},
		{s.Seed.TeamCategory, "MULTIPLE", s.Seed.TeamTags},
	} {
		id, err := manager.CreateCategory(ctx, &tags.Category{
			Name: c.name, Cardinality: c.cardinality, AssociableTypes: []string{"VirtualMachine"},
		})
		if err != nil {
			return err
		}

		for _, name := range c.tags {
			if _, err := manager.CreateTag(ctx, &tags.Tag{Name: name, CategoryID: id}); err != nil {
				return err
			}
		}
	}

	return nil
}

// seedLibrary makes the content library with a machine and an ISO.
func (s *Server) seedLibrary(ctx context.Context, client *rest.Client) error {
	manager := library.NewManager(client)

	var store string

	for _, ref := range s.named(s.Seed.Datastores[0]) {
		store = ref.Value
	}

	id, err := manager.CreateLibrary(ctx, library.Library{
		Name: s.Seed.Library, Type: "LOCAL",
		Storage: []library.StorageBacking{{DatastoreID: store, Type: "DATASTORE"}},
	})
	if err != nil {
		return err
	}

	disk, err := guestDisk(ctx)
	if err != nil {
		return err
	}

	name := s.Seed.LibraryOVF
	if err := upload(ctx, manager, id, name, library.ItemTypeOVF, map[string][]byte{
		name + ".ovf":        descriptor(name, int64(len(disk))),
		name + "-disk1.vmdk": disk,
	}); err != nil {
		return err
	}

	return upload(ctx, manager, id, s.Seed.LibraryISO, library.ItemTypeISO, map[string][]byte{
		s.Seed.LibraryISO + ".iso": bytes.Repeat([]byte{0}, 64<<10),
	})
}

// upload makes an item of a library from files.
func upload(ctx context.Context, m *library.Manager, id, name, kind string, files map[string][]byte) error {
	item, err := m.CreateLibraryItem(ctx, library.Item{LibraryID: id, Name: name, Type: kind})
	if err != nil {
		return err
	}

	session, err := m.CreateLibraryItemUpdateSession(ctx, library.Session{LibraryItemID: item})
	if err != nil {
		return err
	}

	for file, content := range files {
		update, err := m.AddLibraryItemFile(ctx, session, library.UpdateFile{
			Name: file, SourceType: "PUSH", Size: int64(len(content)),
		})
		if err != nil {
			return err
		}

		to, err := url.Parse(update.UploadEndpoint.URI)
		if err != nil {
			return err
		}

		p := soap.DefaultUpload
		p.ContentLength = int64(len(content))

		if err := m.Client.Upload(ctx, bytes.NewReader(content), to, &p); err != nil {
			return err
		}
	}

	return m.CompleteLibraryItemUpdateSession(ctx, session)
}

// guestDiskSize is the capacity of the disk of the library's machine.
const guestDiskSize = 1 << 20

// guestDisk returns a disk with a guest, as it is in an OVF package.
func guestDisk(ctx context.Context) ([]byte, error) {
	content := make([]byte, guestDiskSize)
	copy(content, GuestMarker)

	v, err := diskimage.NewStreamVMDK(ctx, bytes.NewReader(content), diskimage.Raw, diskimage.StreamOptions{Size: guestDiskSize})
	if err != nil {
		return nil, err
	}

	return io.ReadAll(v)
}

// descriptor returns the OVF descriptor of a machine with one disk and one
// network card.
func descriptor(name string, size int64) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
<References><File ovf:href="%[1]s-disk1.vmdk" ovf:id="file1" ovf:size="%[2]d"/></References>
<DiskSection><Info>Disks</Info><Disk ovf:capacity="%[3]d" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
<NetworkSection><Info>Networks</Info><Network ovf:name="nat"><Description>The network</Description></Network></NetworkSection>
<VirtualSystem ovf:id="%[1]s"><Info>A machine</Info><Name>%[1]s</Name>
<OperatingSystemSection ovf:id="101" vmw:osType="other5xLinux64Guest"><Info>The guest</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>Hardware</Info>
<System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemIdentifier>%[1]s</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType></System>
<Item><rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits><rasd:ElementName>1 virtual CPU</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>512MB of memory</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
<Item><rasd:Address>0</rasd:Address><rasd:ElementName>SCSI Controller</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard Disk 1</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>nat</rasd:Connection><rasd:ElementName>Network adapter 1</rasd:ElementName><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>
`, name, size, guestDiskSize)
}
