package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// checkInventory warns of names that a plan newly asks for and the hypervisor
// does not have, and of a VM name that it has already. They are warnings, not
// errors, because the same apply may make what is missing, or free what is
// taken, through another resource or another provider. What does not change
// costs no call.
func (r *Resource) checkInventory(ctx context.Context, diags *diag.Diagnostics, changes []backends.Change, to *backends.VMSpec, from ancestor) {
	s := stock{Inventory: r.data.Inventory(), kind: r.data.Kind(), diags: diags}
	if to.Image != "" {
		s.image(ctx, "image", to.Image)
	}
	s.ancestor(ctx, from)
	for _, c := range changes {
		if disk, ok := c.To.(backends.Disk); ok && c.Action == backends.Add && disk.Volume != nil {
			s.volume(ctx, c.Path.Attr("volume"), *disk.Volume, deref(disk.Shared))
		}
		want, ok := c.To.(string)
		if !ok || want == "" {
			continue
		}
		switch c.Path.Generic() {
		case "name":
			s.name(ctx, c.Path, want)
		case "networks.network":
			s.network(ctx, c.Path, want)
		case "disks.storage", "placement.storage":
			if all, ok := s.Storages(ctx); ok {
				s.among(c.Path, "storage", want, named(all, func(s backends.Storage) string { return s.Name }))
			}
		case "placement.host":
			if all, ok := s.Hosts(ctx); ok {
				s.among(c.Path, "host", want, named(all, func(h backends.Host) string { return h.Name }))
			}
		case "cdrom.iso":
			s.image(ctx, c.Path, want)
		}
	}
}

// checkPlace warns of a placement that cannot be had now. What listed names are for is said by checkInventory.
func (r *Resource) checkPlace(ctx context.Context, diags *diag.Diagnostics, at backends.PlacementSpec) {
	at.Host, at.Storage = nil, nil
	var e *backends.Error
	if err := r.data.Inventory().Misplaced(ctx, at); !errors.As(err, &e) {
		return
	}
	s := stock{kind: r.data.Kind(), diags: diags}
	s.warn(e.Path, "No such place", "%s: %v. The apply fails unless that changes before the VM is made. %s", s.kind, e.Err, e.Remedy)
}

// lookUp adds to an ancestor what the hypervisor knows of it.
func (r *Resource) lookUp(ctx context.Context, a ancestor) ancestor {
	if a.name != "" {
		a.vm, a.missing = r.data.Inventory().VM(ctx, a.name)
	}
	return a
}

// stock holds what is asked for against an inventory.
type stock struct {
	*tfx.Inventory
	kind  backends.Kind
	diags *diag.Diagnostics
}

func (s stock) name(ctx context.Context, at backends.Path, want string) {
	if vm, taken := s.Stranger(ctx, want); taken {
		unless := "that VM is gone or has another name by then"
		if s.kind == backends.VSphere {
			unless = "that VM is in another folder, or is gone or has another name by then"
		}
		s.warn(at, "A VM has this name already", "%s has a VM %q now, which is not in this state (id %s). The apply fails unless %s. "+
			"To manage it here, import it by its id; else choose another name.", s.kind, want, vm.ID, unless)
	}
}

// network checks a name as the hypervisor lists it. Names with a prefix that no
// listed one has, such as "direct:" for a device of the host, are not listed.
func (s stock) network(ctx context.Context, at backends.Path, want string) {
	all, ok := s.Networks(ctx)
	if !ok {
		return
	}
	names := named(all, func(n backends.Network) string { return n.Name })
	if prefix, _, ok := strings.Cut(want, ":"); ok && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix+":") }) {
		return
	}
	s.among(at, "network", want, names)
}

func (s stock) among(at backends.Path, what, want string, names []string) {
	fits := func(name string) bool {
		return name == want || s.kind == backends.VSphere && strings.HasSuffix(want, "/"+name) // an inventory path
	}
	if slices.ContainsFunc(names, fits) {
		return
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	has := "It has none at all."
	if len(quoted) > 0 {
		has = "It has " + strings.Join(quoted, ", ") + "."
	}
	s.warn(at, "No such "+what, "%s has no %s %q now. The apply fails unless it is made before the VM. %s", s.kind, what, want, has)
}

func (s stock) image(ctx context.Context, at backends.Path, id string) {
	if s.NoImage(ctx, id) {
		s.warn(at, "No such image", "%s has no image %q now. The apply fails unless it is made before the VM. "+
			"An image's id is what virtrigaud_image has as id.", s.kind, id)
	}
}

// ancestor checks what a VM is made from.
func (s stock) ancestor(ctx context.Context, a ancestor) {
	if a.missing {
		s.warn(a.at, "No such VM or template", "%s has no VM or template %q now. The apply fails unless it is made before this VM.", s.kind, a.name)
		return
	}
	if a.snapshot == "" || a.vm == nil {
		return
	}
	all, ok := s.Snapshots(ctx, a.vm.ID)
	if ok && !slices.ContainsFunc(all, func(one backends.Snapshot) bool { return one.ID == a.snapshot }) {
		s.warn(a.at, "No such snapshot", "VM %q has no snapshot %q now. The apply fails unless it is taken before this VM is made. "+
			"A snapshot's id is what virtrigaud_snapshot has as id.", a.vm.Config.Name, a.snapshot)
	}
}

// volume checks a disk that is to be attached.
func (s stock) volume(ctx context.Context, at backends.Path, id string, shared bool) {
	disk, missing := s.Volume(ctx, id)
	if missing {
		s.warn(at, "No such disk", "%s has no disk %q now. The apply fails unless it is made before the VM. "+
			"A disk's id is what virtrigaud_disk has as id.", s.kind, id)
		return
	}
	if vm, held := s.Holder(ctx, disk); held && !shared {
		s.warn(at, "Another VM has this disk", "Disk %q is attached to VM %q (id %s) now, which is not in this state. The apply waits a while for that VM to let go of it, and fails if it does not.",
			id, vm.Name, vm.ID)
	}
}

func (s stock) warn(at backends.Path, summary, format string, args ...any) {
	if at == "" {
		s.diags.AddWarning(summary, fmt.Sprintf(format, args...))
		return
	}
	s.diags.AddAttributeWarning(tfx.Path(at), summary, fmt.Sprintf(format, args...))
}

// named are the names of all, sorted.
func named[T any](all []T, name func(T) string) []string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = name(one)
	}
	slices.Sort(names)
	return names
}
