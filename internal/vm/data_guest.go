package vm

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// guestTime bounds the questions that only the data source asks a guest.
const guestTime = 10 * time.Second

// guestUser and guestFileSystem are what the data source tells of a guest beyond
// what the resource does.
type guestUser struct {
	Name  string  `tfsdk:"name"`
	Since *string `tfsdk:"since"`
}

type guestFileSystem struct {
	MountPoint string `tfsdk:"mount_point"`
	Type       string `tfsdk:"type"`
	Device     string `tfsdk:"device"`
	TotalBytes *int64 `tfsdk:"total_bytes"`
	UsedBytes  *int64 `tfsdk:"used_bytes"`
}

// richGuest adds to the attributes of a guest what only the data source tells.
func richGuest(plain schema.Attribute) schema.Attribute {
	guest, ok := plain.(schema.SingleNestedAttribute)
	if !ok {
		return plain
	}
	text := func(doc string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: doc, Computed: true}
	}
	bytes := func(doc string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: doc, Computed: true}
	}
	guest.Attributes = maps.Clone(guest.Attributes)
	guest.Attributes["users"] = schema.ListNestedAttribute{
		MarkdownDescription: "Who is logged in; null where the agent does not tell.", Computed: true,
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"name":  text("Name of the user."),
			"since": text("Since when, as RFC 3339 in UTC; null where that is not known."),
		}},
	}
	guest.Attributes["file_systems"] = schema.ListNestedAttribute{
		MarkdownDescription: "File systems that the guest has mounted; null where the agent does not tell.", Computed: true,
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"mount_point": text("Where it is mounted: a folder, or a drive on Windows."),
			"type":        text("Type, such as `ext4`."),
			"device":      text("Device in the guest that it is on."),
			"total_bytes": bytes("Size in bytes; null where that is not known."),
			"used_bytes":  bytes("Bytes in use; null where that is not known."),
		}},
	}
	guest.Attributes["time"] = text("The guest's clock when Terraform looked, as RFC 3339 in UTC; null where the agent does not tell.")
	guest.Attributes["time_zone"] = text("Time zone of the guest; null where the agent does not tell.")
	return guest
}

// describe writes a VM into the state of the data source. more is what a guest
// tells only there, or nil.
func describe(ctx context.Context, to *tfsdk.State, vm *backends.VM, kind backends.Kind, more *backends.Guest) (diags diag.Diagnostics) {
	plain := schema.Schema{Attributes: vmschema.ObservedAttributes()}
	object := plain.Type().TerraformType(ctx)
	state := tfsdk.State{Schema: plain, Raw: tftypes.NewValue(object, nil)}
	diags.Append(state.Set(ctx, vmschema.Observe(vm, kind))...)
	if diags.HasError() {
		return diags
	}
	raw, err := widened(state.Raw, to.Schema.Type().TerraformType(ctx))
	if err != nil {
		diags.AddError("Unable to show the VM", err.Error()+"\n\nThis is a fault of the provider; please report it.")
		return diags
	}
	to.Raw = raw
	if more == nil {
		return diags
	}
	guest := path.Root("guest")
	for name, value := range map[string]any{
		"users": usersOf(more), "file_systems": fileSystemsOf(more), "time": moment(more.Time), "time_zone": present(more.TimeZone),
	} {
		diags.Append(to.SetAttribute(ctx, guest.AtName(name), value)...)
	}
	return diags
}

// widened gives an object, and the objects in it, the attributes that it lacks
// of a type, all null.
func widened(v tftypes.Value, to tftypes.Type) (tftypes.Value, error) {
	object, ok := to.(tftypes.Object)
	if !ok || v.IsNull() {
		return tftypes.NewValue(to, nil), nil
	}
	var have map[string]tftypes.Value
	if err := v.As(&have); err != nil {
		return v, err
	}
	all := make(map[string]tftypes.Value, len(object.AttributeTypes))
	for name, typ := range object.AttributeTypes {
		one, ok := have[name]
		switch {
		case !ok:
			one = tftypes.NewValue(typ, nil)
		case !one.Type().Equal(typ):
			var err error
			if one, err = widened(one, typ); err != nil {
				return v, err
			}
		}
		all[name] = one
	}
	return tftypes.NewValue(to, all), nil
}

// askGuest asks a guest whose agent answers for what costs more. What it does
// not tell is not known, and no error.
func askGuest(ctx context.Context, b backends.Backend, vm *backends.VM) *backends.Guest {
	if vm.Guest == nil || !vm.Guest.AgentRunning {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, guestTime)
	defer cancel()
	g, err := b.GuestInfo(ctx, vm.ID)
	if err != nil {
		return nil
	}
	return &g
}

func usersOf(g *backends.Guest) []guestUser {
	if g.Users == nil {
		return nil
	}
	all := []guestUser{}
	for _, u := range g.Users {
		all = append(all, guestUser{Name: u.Name, Since: moment(u.Since)})
	}
	return all
}

func fileSystemsOf(g *backends.Guest) []guestFileSystem {
	if g.FileSystems == nil {
		return nil
	}
	all := []guestFileSystem{}
	for _, f := range g.FileSystems {
		all = append(all, guestFileSystem{
			MountPoint: f.MountPoint, Type: f.Type, Device: f.Device, TotalBytes: bytesOf(f.TotalBytes), UsedBytes: bytesOf(f.UsedBytes),
		})
	}
	return all
}

// moment is a time as text, nil for none.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

// present is text, nil for none.
func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// bytesOf is a number of bytes, nil for one that is not known.
func bytesOf(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
