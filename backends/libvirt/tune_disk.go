package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// setDiskLimits writes what is set in spec; 0 is no limit. Bounds of reads or writes alone, which
// somebody set by hand, exclude one of both together and give way to it.
func setDiskLimits(d *libvirtxml.DomainDisk, spec backends.Disk) {
	if spec.IOPSLimit == nil && spec.ThroughputMiB == nil {
		return
	}
	t := libvirtxml.DomainDiskIOTune{}
	if d.IOTune != nil {
		t = *d.IOTune
	}
	if n := spec.IOPSLimit; n != nil {
		t.TotalIopsSec = uint64(*n)
		t.ReadIopsSec, t.WriteIopsSec = 0, 0
		t.TotalIopsSecMax, t.ReadIopsSecMax, t.WriteIopsSecMax = 0, 0, 0
		t.TotalIopsSecMaxLength, t.ReadIopsSecMaxLength, t.WriteIopsSecMaxLength = 0, 0, 0
	}
	if n := spec.ThroughputMiB; n != nil {
		t.TotalBytesSec = uint64(*n) * mib
		t.ReadBytesSec, t.WriteBytesSec = 0, 0
		t.TotalBytesSecMax, t.ReadBytesSecMax, t.WriteBytesSecMax = 0, 0, 0
		t.TotalBytesSecMaxLength, t.ReadBytesSecMaxLength, t.WriteBytesSecMaxLength = 0, 0, 0
	}
	d.IOTune = &t
	bare := t
	bare.GroupName, bare.SizeIopsSec = "", 0
	if bare == (libvirtxml.DomainDiskIOTune{}) {
		d.IOTune = nil
	}
}

// observeDiskLimits reads the limits of reads and writes together; nil is none.
func observeDiskLimits(d *libvirtxml.DomainDisk) (iops, throughputMiB *int64) {
	if d.IOTune == nil {
		return nil, nil
	}
	if n := d.IOTune.TotalIopsSec; n > 0 {
		iops = ptr(int64(min(n, 1<<62)))
	}
	if n := d.IOTune.TotalBytesSec; n > 0 {
		throughputMiB = ptr(max(1, int64(min(n, 1<<62)/mib)))
	}
	return iops, throughputMiB
}

func validateDiskLimits(p backends.Path, disk backends.Disk) error {
	const most = 1 << 30 // libvirt takes at most 1000000000000000 of either
	if n := deref(disk.IOPSLimit); n < 0 || n > most {
		return invalid(p.Attr("iops_limit"), "%d operations a second is not a limit", n)
	}
	if n := deref(disk.ThroughputMiB); n < 0 || n > most/2 {
		return invalid(p.Attr("throughput_mib"), "%d MiB a second is not a limit", n)
	}
	return nil
}

// limitDisk sets the limits of a running VM's disk, and of its definition.
func (e *edit) limitDisk(ctx context.Context, c backends.Change) error {
	i := findDisk(e.d.xml, e.d.mark, c.Key)
	if i < 0 {
		return backends.Errorf(backends.Precondition, "", "", "the VM has no disk %q any more", c.Key).At(c.Path).
			Advise("Plan again, so that it is made anew.")
	}
	target, want := targetOf(&e.d.xml.Devices.Disks[i]), e.to.Disks[c.Key]
	params := []rpc.TypedParam{ullong("total_iops_sec", uint64(deref(want.IOPSLimit)))}
	if c.Path.Generic() == "disks.throughput_mib" {
		params = []rpc.TypedParam{ullong("total_bytes_sec", uint64(deref(want.ThroughputMiB))*mib)}
	}
	return at(e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetBlockIOTune(e.dom, target, params, uint32(both))
	}), c.Path)
}
