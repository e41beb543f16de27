package backends

import "context"

// Unimplemented answers Unsupported to everything. Drivers embed it and
// override what they have.
type Unimplemented struct{ Kind Kind }

var _ Backend = Unimplemented{}

func (u Unimplemented) no(op, object string) error {
	return Errorf(Unsupported, op, object, "the %s backend does not support this", u.Kind)
}

// ListVMs answers Unsupported.
func (u Unimplemented) ListVMs(context.Context, VMFilter) ([]VMSummary, error) {
	return nil, u.no("list VMs", "")
}

// GetVMs answers Unsupported.
func (u Unimplemented) GetVMs(context.Context, []ID, Aspects) (map[ID]Result, error) {
	return nil, u.no("read VMs", "")
}

// CreateVM answers Unsupported.
func (u Unimplemented) CreateVM(_ context.Context, spec *VMSpec) (ID, error) {
	return "", u.no("create", VMObject(spec.Name))
}

// CloneVM answers Unsupported.
func (u Unimplemented) CloneVM(_ context.Context, spec *CloneSpec) (ID, error) {
	return "", u.no("clone", VMObject(spec.Spec.Name))
}

// Reconfigure answers Unsupported.
func (u Unimplemented) Reconfigure(_ context.Context, id ID, _ Reconfiguration) error {
	return u.no("change", VMObject(string(id)))
}

// DeleteVM answers Unsupported.
func (u Unimplemented) DeleteVM(_ context.Context, id ID, _ DeleteOptions) error {
	return u.no("delete", VMObject(string(id)))
}

// SetPower answers Unsupported.
func (u Unimplemented) SetPower(_ context.Context, id ID, a PowerAction) error {
	return u.no(string(a), VMObject(string(id)))
}

// WaitPower answers Unsupported.
func (u Unimplemented) WaitPower(_ context.Context, id ID, _ PowerState) error {
	return u.no("wait for the power state", VMObject(string(id)))
}

// CreateSnapshot answers Unsupported.
func (u Unimplemented) CreateSnapshot(_ context.Context, id ID, _ SnapshotSpec) (string, error) {
	return "", u.no("create snapshot", VMObject(string(id)))
}

// ListSnapshots answers Unsupported.
func (u Unimplemented) ListSnapshots(_ context.Context, id ID) ([]Snapshot, error) {
	return nil, u.no("list snapshots", VMObject(string(id)))
}

// RevertSnapshot answers Unsupported.
func (u Unimplemented) RevertSnapshot(_ context.Context, id ID, _ string) error {
	return u.no("revert snapshot", VMObject(string(id)))
}

// DescribeSnapshot answers Unsupported.
func (u Unimplemented) DescribeSnapshot(_ context.Context, id ID, _, _ string) error {
	return u.no("describe snapshot", VMObject(string(id)))
}

// DeleteSnapshot answers Unsupported.
func (u Unimplemented) DeleteSnapshot(_ context.Context, id ID, _ string, _ bool) error {
	return u.no("delete snapshot", VMObject(string(id)))
}

// ImportImage answers Unsupported.
func (u Unimplemented) ImportImage(_ context.Context, spec ImageSpec, _ ImageSource) (Image, error) {
	return Image{}, u.no("import", ImageObject(spec.Name))
}

// GetImage answers Unsupported.
func (u Unimplemented) GetImage(_ context.Context, id string) (Image, error) {
	return Image{}, u.no("read", ImageObject(id))
}

// ListImages answers Unsupported.
func (u Unimplemented) ListImages(context.Context, string) ([]Image, error) {
	return nil, u.no("list images", "")
}

// DeleteImage answers Unsupported.
func (u Unimplemented) DeleteImage(_ context.Context, id string) error {
	return u.no("delete", ImageObject(id))
}

// CreateDisk answers Unsupported.
func (u Unimplemented) CreateDisk(_ context.Context, spec DiskSpec) (Volume, error) {
	return Volume{}, u.no("create", DiskObject(spec.Name))
}

// GetDisk answers Unsupported.
func (u Unimplemented) GetDisk(_ context.Context, id string) (Volume, error) {
	return Volume{}, u.no("read", DiskObject(id))
}

// ResizeDisk answers Unsupported.
func (u Unimplemented) ResizeDisk(_ context.Context, id string, _ int64) error {
	return u.no("resize", DiskObject(id))
}

// DeleteDisk answers Unsupported.
func (u Unimplemented) DeleteDisk(_ context.Context, id string) error {
	return u.no("delete", DiskObject(id))
}

// GuestInfo answers Unsupported.
func (u Unimplemented) GuestInfo(_ context.Context, id ID) (Guest, error) {
	return Guest{}, u.no("ask the guest agent", VMObject(string(id)))
}

// GuestExec answers Unsupported.
func (u Unimplemented) GuestExec(_ context.Context, id ID, _ GuestCommand) (GuestResult, error) {
	return GuestResult{}, u.no("run a command in the guest", VMObject(string(id)))
}

// Console answers Unsupported.
func (u Unimplemented) Console(_ context.Context, id ID) (Console, error) {
	return Console{}, u.no("open the console", VMObject(string(id)))
}

// Migrate answers Unsupported.
func (u Unimplemented) Migrate(_ context.Context, id ID, _ PlacementSpec) error {
	return u.no("migrate", VMObject(string(id)))
}

// CheckPlacement answers Unsupported.
func (u Unimplemented) CheckPlacement(context.Context, PlacementSpec) error {
	return u.no("look up the placement", "")
}

// Hosts answers Unsupported.
func (u Unimplemented) Hosts(context.Context) ([]Host, error) { return nil, u.no("list hosts", "") }

// Networks answers Unsupported.
func (u Unimplemented) Networks(context.Context) ([]Network, error) {
	return nil, u.no("list networks", "")
}

// Storages answers Unsupported.
func (u Unimplemented) Storages(context.Context) ([]Storage, error) {
	return nil, u.no("list storages", "")
}

// Tasks answers Unsupported.
func (u Unimplemented) Tasks(context.Context, TaskFilter) ([]Task, error) {
	return nil, u.no("list tasks", "")
}

// Metrics answers Unsupported.
func (u Unimplemented) Metrics(context.Context, []ID) (map[ID]Metrics, error) {
	return nil, u.no("read metrics", "")
}

// Events answers Unsupported.
func (u Unimplemented) Events(_ context.Context, id ID) ([]Event, error) {
	return nil, u.no("read events", VMObject(string(id)))
}

// Info answers Unsupported.
func (u Unimplemented) Info(context.Context) (Info, error) {
	return Info{}, u.no("read the hypervisor's version", "")
}

// Close does nothing.
func (u Unimplemented) Close() error { return nil }

// VMObject names a VM in errors: `VM "web"`.
func VMObject(name string) string { return `VM "` + name + `"` }

// ImageObject names an image in errors.
func ImageObject(name string) string { return `image "` + name + `"` }

// DiskObject names a disk in errors.
func DiskObject(name string) string { return `disk "` + name + `"` }
