package proxmox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// importToken begins the creation tokens of images. Each import has one of its own, so that it takes no other's VM for what it has made.
const importToken = "image-"

// imported reports whether an import made the VM, as far as it is.
func (m *machine) imported() bool {
	return m.Mark != nil && strings.HasPrefix(m.Mark.Token, importToken)
}

// undo removes what an import that failed with err has made, and says where something of it may be left.
func (a *arrival) undo(ctx context.Context, id backends.ID, err error) error {
	if id == "" || id == idOf(0) || a.undone(ctx, id) {
		return err
	}
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Remedy = strings.TrimSpace(fmt.Sprintf("%s The VM %s may be left of it. Where nothing makes it any more, remove it on its node: qm unlock %s; qm destroy %s.", c.Remedy, id, id, id))
	return &c
}

// undone reports whether nothing is left of a VM that was to be an image.
func (a *arrival) undone(ctx context.Context, id backends.ID) bool {
	ctx, cancel := tidying(ctx)
	defer cancel()
	a.estate.changed()
	m, err := a.machine(ctx, id)
	switch {
	case backends.CodeOf(err) == backends.NotFound, backends.CodeOf(err) == backends.Auth: // who may not look has made nothing
		return true
	case err != nil && !errors.Is(err, errMark), err == nil && m.beingMade():
		return false
	case err != nil || m.Mark == nil || m.Mark.Token != a.token: // another's
		return true
	}
	return a.deleteVM(ctx, m, backends.DeleteOptions{}) == nil // why the import failed is what is told
}

// clear sees to it that no VM has the name: one that an import left which was cut short is removed.
func (a *arrival) clear(ctx context.Context) error {
	all, err := a.census(ctx)
	if err != nil {
		return err
	}
	for _, vmid := range sortedKeys(all) {
		if all[vmid].name() != hostnameFor(a.spec.Name) {
			continue
		}
		if err := a.clearVM(ctx, idOf(vmid)); err != nil && backends.CodeOf(err) != backends.NotFound {
			return err
		}
	}
	return nil
}

func (a *arrival) clearVM(ctx context.Context, id backends.ID) error {
	m, err := a.machine(ctx, id)
	switch {
	case err != nil && !errors.Is(err, errMark):
		return err
	case err == nil && m.hardware.Template && !m.marked().Partial:
		return backends.Errorf(backends.Conflict, "", "", "the image %q has a VM of the same name, %s", m.imageName(), id).At("name").Advise("Choose another name.")
	case err != nil || !m.imported() || !m.Mark.Partial || m.power() != backends.Stopped:
		return backends.Errorf(backends.Conflict, "", "", "the cluster has a VM %q already, with the id %s at the node %q", hostnameFor(a.spec.Name), id, m.node).At("name").
			Advise("Choose another name: an image is a template VM here.")
	}
	switch left, err := a.abandoned(ctx, m); {
	case err != nil:
		return err
	case !left:
		return backends.Errorf(backends.Locked, "", "", "another apply is making an image of the name: the VM %s", id).At("name").Advise("Apply again when it is made.")
	}
	return a.deleteVM(ctx, m, backends.DeleteOptions{})
}

// quiet is how long nothing must happen to an image that is not complete before it is taken for one that nobody works on. Who makes it
// goes from one task to the next within a second or two.
const quiet = 5 * time.Second

// abandoned reports whether nobody works on an image that is not complete.
func (b *Backend) abandoned(ctx context.Context, m *machine) (bool, error) {
	end := time.Now().Add(b.quiet)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		b.estate.changed()
		now, err := b.machine(ctx, m.id())
		if err != nil {
			return false, err
		}
		if now.digest != m.digest || now.beingMade() {
			return false, nil
		}
		query := url.Values{"source": {"active"}, "vmid": {strconv.FormatInt(m.hardware.VMID, 10)}}
		tasks, err := b.taskRows(ctx, []string{m.node}, query)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(tasks, func(t taskRow) bool { return t.describe().State == "running" }) {
			return false, nil
		}
		left := time.Until(end)
		if left <= 0 {
			return true, nil
		}
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
